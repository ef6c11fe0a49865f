"""RandomRoll: a Python layer that destroys the alignment of label maps; a control of ours, not the paper's."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from caffe_compat.layers.utility.python_interface import Blobs, PythonLayer

Indices = NDArray[np.intp]


class RandomRoll(PythonLayer):
    """Rolls each map (n, c) of a blob (N, C, H, W) by an offset of its own, drawn anew in every forward pass.

    The values of a map stay the same and only their places change, so nothing but the relation between maps is lost.
    `param_str` is the seed, a whole number; without one the offsets start from 0.
    """

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        self._random = np.random.default_rng(int(self.param_str or 0))
        self._source: tuple[Indices, Indices, Indices, Indices] | None = None

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        self._source = self._draw(bottom[0].shape)
        top[0].data[...] = bottom[0].data[self._source]

    def backward(self, top: Blobs, propagate_down: Sequence[bool], bottom: Blobs) -> None:
        if propagate_down[0] and self._source is not None:
            bottom[0].diff[self._source] = top[0].diff

    def _draw(self, shape: Sequence[int]) -> tuple[Indices, Indices, Indices, Indices]:
        """The place in the bottom from which each value of the top comes; broadcast to the blob's shape."""
        images, labels, height, width = shape
        down = self._random.integers(height, size=(images, labels, 1, 1))
        right = self._random.integers(width, size=(images, labels, 1, 1))
        rows = (np.arange(height).reshape(1, 1, height, 1) - down) % height
        columns = (np.arange(width).reshape(1, 1, 1, width) - right) % width
        return np.arange(images).reshape(-1, 1, 1, 1), np.arange(labels).reshape(1, -1, 1, 1), rows, columns
