"""The numbers of a TransformationParameter: minus mean, times scale, on the device (data_transformer.cpp)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from caffe_compat.data.mean import read_mean
from caffe_compat.data.transform import Cut
from caffe_compat.errors import DataError, FieldError


class Arithmetic:
    """(pixels - mean) * scale; the mean is an image (cut and mirrored with its picture) or one number a channel."""

    def __init__(self, parameter: Any, owner: str) -> None:
        if parameter.mean_file and parameter.mean_value:
            raise FieldError(f"{owner}: cannot specify mean_file and mean_value at the same time")
        if parameter.mean_file and parameter.original_image:
            raise FieldError(f"{owner}: mean_file has no meaning for crops of original_image; use mean_value")
        self._owner = owner
        self._scale: float = parameter.scale
        self._values = torch.tensor(list(parameter.mean_value))
        self._image = torch.from_numpy(read_mean(parameter.mean_file, owner)) if parameter.mean_file else None
        self._buffer = torch.empty(0)
        # The fork takes the mean image's upper left corner for every multi-scale crop.
        self._fixed_corner: bool = parameter.multi_scale

    def check(self, channels: int, height: int, width: int) -> None:
        """Refuses images that the mean does not fit."""
        if len(self._values) not in (0, 1, channels):
            raise FieldError(
                f"{self._owner}: specify either 1 mean_value or as many as channels ({channels}), "
                f"got {len(self._values)}"
            )
        if self._image is not None and tuple(self._image.shape) != (channels, height, width):
            raise DataError(
                f"{self._owner}: mean_file has shape {tuple(self._image.shape)}, "
                f"the image has {(channels, height, width)}; make the mean from images of this size"
            )

    def __call__(self, pixels: Tensor, cuts: Sequence[Cut]) -> Tensor:
        """Float32 (num, channels, height, width) from pixels of any type and layout, on their device.

        On the CPU the next call overwrites what this one returns.
        """
        data = self._float(pixels)
        if self._image is not None:
            self._image = self._image.to(data.device)
            data.sub_(torch.stack([self._mean(self._image, cut, *data.shape[2:]) for cut in cuts]))
        elif len(self._values):
            self._values = self._values.to(data.device)
            data.sub_(self._values.view(-1, 1, 1))
        return data if self._scale == 1 else data.mul_(self._scale)

    def _float(self, pixels: Tensor) -> Tensor:
        """A copy as float32; on the CPU in memory used before, as a Caffe blob is: fresh pages cost more than sums."""
        if pixels.device.type != "cpu":
            return pixels.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
        if self._buffer.shape != pixels.shape:
            self._buffer = torch.empty(pixels.shape)
        return self._buffer.copy_(pixels)

    def _mean(self, image: Tensor, cut: Cut, height: int, width: int) -> Tensor:
        top, left = (0, 0) if self._fixed_corner else cut.box[:2]
        mean = image[:, top : top + height, left : left + width]
        return mean.flip(2) if cut.mirrored else mean
