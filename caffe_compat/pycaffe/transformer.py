"""Converts images to a net's input and back (pycaffe's io.Transformer)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import GraphError
from caffe_compat.pycaffe.array_error import ArrayError
from caffe_compat.pycaffe.images import resize_image

Array = NDArray[Any]


class Transformer:
    """`Transformer({"data": net.blobs["data"].data.shape})`; every step is set for an input by its name.

    The order of the steps is: resize, transpose, swap channels, times raw_scale, minus mean, times input_scale.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]) -> None:
        self.inputs = inputs
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, Array] = {}
        self.input_scale: dict[str, float] = {}

    def preprocess(self, in_: str, data: Array) -> Array:
        """Returns (channels, height, width), float32, for an image (rows, columns, channels), which is not changed."""
        shape = self._shape(in_)
        image = data.astype(np.float32)
        if image.shape[:2] != shape[2:]:
            image = resize_image(image, shape[2:])
        if in_ in self.transpose:
            image = image.transpose(self.transpose[in_])
        if in_ in self.channel_swap:
            image = image[list(self.channel_swap[in_])]
        if in_ in self.raw_scale:
            image *= self.raw_scale[in_]
        if in_ in self.mean:
            image -= self.mean[in_]
        if in_ in self.input_scale:
            image *= self.input_scale[in_]
        return image

    def deprocess(self, in_: str, data: Array) -> Array:
        """Returns the image of an input blob: the same steps in reverse, without resizing."""
        axes = len(self._shape(in_)) - 1
        image = data.copy().squeeze()
        if in_ in self.transpose and image.ndim < axes:
            image = image.reshape(data.shape[-axes:])  # pycaffe fails for a single channel
        if in_ in self.input_scale:
            image /= self.input_scale[in_]
        if in_ in self.mean:
            image += self.mean[in_]
        if in_ in self.raw_scale:
            image /= self.raw_scale[in_]
        if in_ in self.channel_swap:
            image = image[np.argsort(self.channel_swap[in_])]
        if in_ in self.transpose:
            image = image.transpose(np.argsort(self.transpose[in_]))
        return image

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """Sets the order of axes: (2, 0, 1) converts (height, width, channels) to (channels, height, width)."""
        axes = len(self._shape(in_)) - 1
        if len(order) != axes:
            raise ArrayError(f"input '{in_}': expected an order of {axes} axes, got {tuple(order)}")
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """Sets the order of channels, now axis 0: (2, 1, 0) converts RGB to BGR."""
        channels = self._shape(in_)[1]
        if len(order) != channels:
            raise ArrayError(f"input '{in_}': expected an order of {channels} channels, got {tuple(order)}")
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """Sets the factor before the mean is subtracted: 255 for nets with a mean from 0 to 255."""
        self._shape(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: Array) -> None:
        """Sets the mean to subtract: one number per channel, or an image, which is resized if needed."""
        shape = self._shape(in_)[1:]
        if mean.ndim == 1 and len(mean) != shape[0]:
            raise ArrayError(f"input '{in_}': mean channels incompatible: expected {shape[0]}, got {len(mean)}")
        if mean.ndim not in (1, 2, 3):
            raise ArrayError(f"input '{in_}': mean shape invalid: expected 1 to 3 axes, got {mean.shape}")
        self.mean[in_] = mean[:, None, None] if mean.ndim == 1 else _fitted(mean, shape)

    def set_input_scale(self, in_: str, scale: float) -> None:
        """Sets the factor after the mean has been subtracted."""
        self._shape(in_)
        self.input_scale[in_] = scale

    def _shape(self, in_: str) -> tuple[int, ...]:
        if in_ not in self.inputs:
            raise GraphError(f"{in_} is not one of the net inputs: {', '.join(self.inputs)}")
        return tuple(self.inputs[in_])


def _fitted(mean: Array, shape: tuple[int, ...]) -> Array:
    if (1, 1, *mean.shape)[-3:] == shape:
        return mean
    low, high = float(mean.min()), float(mean.max())  # weak scalars: the result stays float32, as in 2016
    if high == low:
        return np.full(shape, low, mean.dtype)
    planes = mean.reshape((1, 1, *mean.shape)[-3:])
    resized = resize_image(((planes - low) / (high - low)).transpose(1, 2, 0), shape[1:])
    fitted: Array = resized.transpose(2, 0, 1) * (high - low) + low
    return fitted
