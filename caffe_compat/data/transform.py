"""TransformationParameter: the transform of an image between its source and the net (data_transformer.cpp).

The work has two parts, so that images travel as bytes. `Transform` cuts, resizes and mirrors uint8 images on the host,
with random numbers drawn beforehand. `Arithmetic` computes (pixels - mean) * scale: for a GPU there, on whole batches
of bytes; for the CPU in each worker thread, right after cutting, while the image is in the cache. Each value is then
written to memory only once, which is most of the cost.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffe_compat.data.draws import (
    Box,
    CentreCrop,
    Crop,
    Draws,
    TrainCrop,
    draws_matter,
    draws_needed,
    original_image_test,
    original_image_train,
    whole,
)
from caffe_compat.data.mean import read_mean
from caffe_compat.errors import DataError, FieldError

logger = logging.getLogger("caffe_compat")


Pixels = NDArray[Any]
Floats = NDArray[np.float32]
_LARGEST_SCALAR = 4  # cv2 scalars hold up to four numbers, one per channel


class Cut(NamedTuple):
    """The part of an image that becomes an item, and whether the item is mirrored."""

    box: Box
    mirrored: bool


class Transform:
    """The geometric part of a TransformationParameter, for a phase.

    `parameter` is any object with the message's fields as attributes; `owner` begins error messages. `raw` means that
    pixels are not decoded from image files: the fork applies original_image only to decoded images and ignores the
    field for others.
    """

    def __init__(self, parameter: Any, phase: str, owner: str, raw: bool = False) -> None:
        self.owner = owner
        self.crop_size: int = parameter.crop_size
        self.mirror: bool = parameter.mirror
        self.is_flow: bool = parameter.is_flow
        self.original_image: bool = parameter.original_image and not raw
        if parameter.original_image and raw:
            logger.warning("%s: original_image only for encoded images; raw ones are cropped as without it", owner)
        self.decode_flag = decode_flag(parameter.force_color, parameter.force_gray, owner)
        self._crop = _crop_of(parameter, phase, owner, self.original_image)
        self.draws_per_item = int(self.mirror) + draws_needed(self._crop)

    def item_size(self, height: int, width: int) -> tuple[int, int]:
        """The (height, width) of the item made from an image; an error for an image smaller than crop_size."""
        if not self.crop_size:
            return height, width
        if min(height, width) < self.crop_size and not self.original_image:
            raise DataError(
                f"{self.owner}: crop_size {self.crop_size} is larger than the image ({height} x {width}); "
                "resize the images or take a smaller crop"
            )
        return self.crop_size, self.crop_size

    def views_of(self, height: int, width: int) -> int | None:
        """The number of items that can be made from an image: 2 with mirror; None where random crops make many."""
        return None if draws_matter(self._crop, height, width) else 1 + self.mirror

    def cut(self, height: int, width: int, draws: Draws) -> Cut:
        """Draws the part to take of an image of this size."""
        mirrored = self.mirror and draws.below(2) == 1
        box = self._crop(height, width, draws)
        if min(box.height, box.width) < 1:
            raise DataError(
                f"{self.owner}: the crop has no pixel: {box.height} x {box.width} of an image of {height} x {width}; "
                "take larger images or scale_ratios"
            )
        return Cut(box, mirrored)

    def apply(self, image: Pixels, cut: Cut, item: Pixels) -> None:
        """Writes the cut of an image (height, width, channels) to `item`, whose size is that of `item_size`."""
        top, left, height, width = cut.box
        part = image[top : top + height, left : left + width]
        interpolation = cv2.INTER_CUBIC if self.original_image else cv2.INTER_LINEAR
        if channels_together(part) and channels_together(item):
            _place(part, item, cut.mirrored, interpolation)
        else:
            for channel in range(item.shape[2]):
                _place(part[..., channel], item[..., channel], cut.mirrored, interpolation)
        if self.is_flow and cut.mirrored:
            # Even channels hold horizontal flow, whose sign changes when the image is mirrored.
            item[..., ::2] = 255 - item[..., ::2]


def channels_together(image: Pixels) -> bool:
    """Whether the channels of a pixel are adjacent in memory, as cv2 needs to process them in one call."""
    return bool(image.strides[2] == image.itemsize)


def _place(part: Pixels, item: Pixels, mirrored: bool, interpolation: int) -> None:
    """Writes a part of an image, or of one of its planes, to an item's memory; cv2 does this without Python's lock."""
    resized = part.shape != item.shape
    if resized:
        cv2.resize(part, item.shape[1::-1], dst=item, interpolation=interpolation)
    if mirrored:
        cv2.flip(item if resized else part, 1, dst=item)
    elif not resized:
        item[...] = part


def decode_flag(force_color: bool, force_gray: bool, owner: str) -> int:
    """cv2's flag for decoding encoded images."""
    if force_color and force_gray:
        raise FieldError(f"{owner}: cannot set both force_color and force_gray")
    if force_color or force_gray:
        return cv2.IMREAD_COLOR if force_color else cv2.IMREAD_GRAYSCALE
    return cv2.IMREAD_UNCHANGED


def _crop_of(parameter: Any, phase: str, owner: str, original_image: bool) -> Crop:
    train = TrainCrop(
        parameter.crop_size,
        parameter.multi_scale,
        tuple(parameter.scale_ratios),
        parameter.max_distort,
        parameter.fix_crop,
        parameter.more_fix_crop,
    )
    if not parameter.crop_size:
        _refuse_without_crop_size(parameter, owner)
        return whole
    _check_scales(parameter, owner)
    if original_image:
        return original_image_train if phase == "TRAIN" else original_image_test
    return train if phase == "TRAIN" else CentreCrop(parameter.crop_size)


def _refuse_without_crop_size(parameter: Any, owner: str) -> None:
    for field in ("multi_scale", "fix_crop", "more_fix_crop", "original_image"):
        if getattr(parameter, field):
            raise FieldError(f"{owner}: transform_param.{field} needs crop_size, which is not set")


def _check_scales(parameter: Any, owner: str) -> None:
    for ratio in parameter.scale_ratios:
        if not 0 < ratio <= 1:
            raise FieldError(f"{owner}: expected scale_ratios above 0 and up to 1, the whole image; found {ratio:g}")
    if parameter.max_distort < 0:
        raise FieldError(f"{owner}: expected a max_distort from 0 on, found {parameter.max_distort}")
    for field, needed, is_set in (
        ("scale_ratios", "multi_scale", bool(parameter.scale_ratios)),
        ("max_distort", "multi_scale", parameter.max_distort != 1),
        ("more_fix_crop", "fix_crop", parameter.more_fix_crop),
    ):
        if is_set and not getattr(parameter, needed):
            logger.warning("%s: transform_param.%s changes nothing without %s", owner, field, needed)


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
