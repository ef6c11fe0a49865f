"""TransformationParameter: the transform of an image between its source and the net (data_transformer.cpp).

The work has two parts, so that images travel as bytes. `Transform` cuts, resizes and mirrors uint8 images on the host,
with random numbers drawn beforehand. `Arithmetic` (arithmetic.py) applies mean and scale on the device.
"""

import logging
from typing import Any, NamedTuple

import cv2
from numpy.typing import NDArray

from caffe_compat.data.crops import (
    Box,
    CentreCrop,
    Crop,
    TrainCrop,
    draws_needed,
    original_image_test,
    original_image_train,
    whole,
)
from caffe_compat.data.draws import Draws
from caffe_compat.errors import DataError, FieldError

logger = logging.getLogger("caffe_compat")

Pixels = NDArray[Any]


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
