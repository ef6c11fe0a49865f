"""The arithmetic of a TransformationParameter: (pixels - mean) * scale (data_transformer.cpp).

For a GPU, the arithmetic runs there, on whole batches of bytes. For the CPU, each worker thread computes it for an
image right after cutting, while the image is in the cache. Each value is then written to memory only once, which is
most of the cost.
"""

import threading
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffe_compat.data.mean import read_mean
from caffe_compat.data.transform import Cut, channels_together
from caffe_compat.errors import DataError, FieldError

Pixels = NDArray[Any]
Floats = NDArray[np.float32]

_LARGEST_SCALAR = 4  # cv2 scalars hold up to four numbers, one per channel


class Arithmetic:
    """Computes (pixels - mean) * scale.

    The mean is an image, cut and mirrored like each item, or one number per channel.
    """

    def __init__(self, parameter: Any, owner: str) -> None:
        if parameter.mean_file and parameter.mean_value:
            raise FieldError(f"{owner}: cannot specify mean_file and mean_value at the same time")
        if parameter.mean_file and parameter.original_image:
            raise FieldError(f"{owner}: mean_file has no meaning for crops of original_image; use mean_value")
        self._owner = owner
        self._scale: float = parameter.scale
        self._values = np.array(list(parameter.mean_value), np.float32)
        self._image = read_mean(parameter.mean_file, owner) if parameter.mean_file else None
        self._image_together = np.empty(0) if self._image is None else self._image.transpose(1, 2, 0).copy()
        # For every multi-scale crop, the fork subtracts the upper left corner of the mean image.
        self._fixed_corner: bool = parameter.multi_scale
        self._on_device: dict[torch.device, Tensor] = {}
        self._memory = threading.local()

    def check(self, channels: int, height: int, width: int) -> None:
        """Raises an error for an image size that the mean does not fit."""
        if len(self._values) not in (0, 1, channels):
            raise FieldError(
                f"{self._owner}: specify either 1 mean_value or as many as channels ({channels}), "
                f"got {len(self._values)}"
            )
        if self._image is not None and self._image.shape != (channels, height, width):
            raise DataError(
                f"{self._owner}: mean_file has shape {tuple(self._image.shape)}, "
                f"the image has {(channels, height, width)}; make the mean from images of this size"
            )

    def __call__(self, pixels: Tensor, cuts: Sequence[Cut]) -> Tensor:
        """Float32 (num, channels, height, width) on the device of `pixels`, which have any type and memory layout."""
        data = pixels.to(torch.float32, memory_format=torch.contiguous_format, copy=True)
        mean = self._mean_on(data.device)
        if self._image is not None:
            means = [self._cut_of(mean, cut, *data.shape[2:]) for cut in cuts]
            data.sub_(
                torch.stack([part.flip(2) if cut.mirrored else part for part, cut in zip(means, cuts, strict=True)])
            )
        elif len(self._values):
            data.sub_(mean.view(-1, 1, 1))
        return data if self._scale == 1 else data.mul_(self._scale)

    def take(self, item: Pixels, cut: Cut, place: Floats) -> None:
        """Writes (pixels - mean) * scale of one item (height, width, channels) to `place` (channels, height, width)."""
        # cv2 needs adjacent channels: such items are computed in a cached array, then `split` writes them as planes.
        together = channels_together(item)
        floats = self._of_thread("floats", item.shape, np.float32) if together else place.transpose(1, 2, 0)
        if self._image is not None:
            np.subtract(item, self._mean_of(cut, item.shape, together), out=floats)
        elif together and len(self._values) and item.shape[2] <= _LARGEST_SCALAR:
            scalar: Any = self._scalar(item.shape[2])  # Any: cv2's type stubs do not allow a scalar here
            cv2.subtract(item, scalar, dst=floats, dtype=cv2.CV_32F)
        else:
            np.subtract(item, self._values if len(self._values) else np.float32(0), out=floats)
        if self._scale != 1:
            np.multiply(floats, np.float32(self._scale), out=floats)
        if together:
            cv2.split(floats, list(place))

    def memory_for_item(self, shape: tuple[int, int, int], like: Pixels) -> Pixels:
        """An array of this thread for an item (height, width, channels), with the type and memory order of `like`."""
        if channels_together(like):
            return self._of_thread("item", shape, like.dtype)
        height, width, channels = shape
        return self._of_thread("planes", (channels, height, width), like.dtype).transpose(1, 2, 0)

    def _of_thread(self, name: str, shape: tuple[int, ...], kind: Any) -> Pixels:
        """The array of this thread's last item, which is still in the cache; a new array if the shape differs."""
        memory: Pixels | None = getattr(self._memory, name, None)
        if memory is None or memory.shape != shape or memory.dtype != kind:
            memory = np.empty(shape, kind)
            setattr(self._memory, name, memory)
        return memory

    def _mean_on(self, device: torch.device) -> Tensor:
        if device not in self._on_device:
            mean = self._values if self._image is None else self._image
            self._on_device[device] = torch.from_numpy(mean).to(device)
        return self._on_device[device]

    def _scalar(self, channels: int) -> tuple[float, ...]:
        """The mean values as a cv2 scalar, which always has four numbers."""
        values = np.zeros(_LARGEST_SCALAR)
        values[:channels] = self._values
        return tuple(values.tolist())

    def _mean_of(self, cut: Cut, shape: tuple[int, ...], together: bool) -> Floats:
        """The part of the mean image for an item (height, width, channels), in the item's memory order."""
        planes = self._image if not together else self._image_together.transpose(2, 0, 1)
        part: Floats = self._cut_of(planes, cut, *shape[:2]).transpose(1, 2, 0)
        return part[:, ::-1] if cut.mirrored else part

    def _cut_of(self, image: Any, cut: Cut, height: int, width: int) -> Any:
        top, left = (0, 0) if self._fixed_corner else cut.box[:2]
        return image[:, top : top + height, left : left + width]
