"""Layers as users of pycaffe write them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_compat.layers.utility.python_interface import PythonLayer

Blobs = Any


class Times(PythonLayer):
    """Multiplies by the number in param_str."""

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        self.factor = float(self.param_str)

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].data[...] = self.factor * bottom[0].data

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        bottom[0].diff[...] = self.factor * top[0].diff


class Noise(PythonLayer):
    """Adds NumPy's random numbers."""

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].data[...] = bottom[0].data + np.random.rand(*bottom[0].data.shape)


class SquaredDistance(PythonLayer):
    """The loss of Caffe's pyloss example."""

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        self.difference = bottom[0].data - bottom[1].data
        top[0].reshape(1)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        self.difference = bottom[0].data - bottom[1].data
        top[0].data[...] = (self.difference**2).sum() / bottom[0].num / 2

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        self.asked = propagate_down
        for index, sign in enumerate((1, -1)):
            if propagate_down[index]:
                bottom[index].diff[...] = sign * self.difference / bottom[index].num * top[0].diff


class Weighted(PythonLayer):
    """Multiplies rows (N, C) by C learnt weights."""

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        self.blobs.add_blob(bottom[0].channels)
        self.blobs[0].data[...] = 2

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].data[...] = bottom[0].data * self.blobs[0].data

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        self.blobs[0].diff[...] += (top[0].diff * bottom[0].data).sum(0)
        bottom[0].diff[...] = top[0].diff * self.blobs[0].data


class Counter(PythonLayer):
    """A data layer: the numbers 0, 1, 2 ... in batches of three, with the shape from setup."""

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        top[0].reshape(3)
        self.next = 0

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        pass

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].data[...] = range(self.next, self.next + 3)
        self.next += 3


class PhaseOf(PythonLayer):
    """The phase, as a blob of no axes."""

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        top[0].reshape()

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].data[()] = self.phase


class Broken(PythonLayer):
    """Fails in setup."""

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        raise RuntimeError("the user's own error")


class Empty(PythonLayer):
    """Defines nothing."""


class NotALayer:
    """Does not derive from caffe.Layer."""
