"""Preprocessing: what a net expects of an image, and how pictures become the net's input.

Pictures are read and resized as in the released code, with the scikit-image of 2017.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.image_size import refuse_bomb
from caffe_compat.data.regular_file import read_regular, shown
from caffe_compat.data.skimage_resize import resize
from caffe_compat.errors import DataError, FieldError, ShapeError

Picture = NDArray[np.float32]

BGR, RGB, GRAY = "bgr", "rgb", "gray"
#: Orders of channels, with the number of channels of a net's input.
CHANNELS = {BGR: 3, RGB: 3, GRAY: 1}
RAW_SCALE = np.float32(255)
#: scikit-image's weights of blue, green and red in a grey value (ITU-R BT.709).
GREY_WEIGHTS = np.array([0.0721, 0.7154, 0.2125], np.float32)


@dataclass(frozen=True)
class Preprocessing:
    """What a net expects of an image: (pixels from 0 to 255 - mean) * scale, as of Caffe's data layers.

    `channels` is the order of the input's channels: "bgr", "rgb" or "gray". `mean` has one number per channel in this
    order, one number for all channels, or none (0). FieldError for other values.
    """

    channels: str = BGR
    mean: tuple[float, ...] = ()
    scale: float = 1.0

    def __post_init__(self) -> None:
        if self.channels not in CHANNELS:
            raise FieldError(f"channels: expected one of {', '.join(CHANNELS)}, found '{self.channels}'")
        try:
            # Numbers as Caffe's files hold them, so that stored and given ones compare as equal.
            with np.errstate(over="ignore"):  # infinity is refused below
                object.__setattr__(self, "mean", tuple(float(np.float32(value)) for value in self.mean))
                object.__setattr__(self, "scale", float(np.float32(self.scale)))
        except (TypeError, ValueError):
            raise FieldError(
                "mean and scale: expected the numbers of mean in a tuple, as in (104, 117, 123), and one number as "
                f"scale, found {self.mean!r} and {self.scale!r}"
            ) from None
        if len(self.mean) not in (0, 1, CHANNELS[self.channels]):
            raise FieldError(
                f"mean: expected one number, or {CHANNELS[self.channels]} for {self.channels}, found {len(self.mean)}"
            )
        if not (self.scale and np.isfinite([*self.mean, self.scale]).all()):
            raise FieldError(f"mean and scale: expected finite numbers and a scale that is not 0, found {self}")

    def __str__(self) -> str:
        mean = ", ".join(f"{value:g}" for value in self.mean) or "0"
        times = "" if self.scale == 1 else f", times {self.scale:g}"
        return f"{self.channels.upper()} pixels from 0 to 255 minus {mean}{times}"

    def channel_means(self) -> tuple[float, ...]:
        """Returns the mean of each channel."""
        count = CHANNELS[self.channels]
        return self.mean if len(self.mean) == count else (self.mean or (0.0,)) * count

    def input_of(self, image: Any, height: int, width: int) -> Picture:
        """Returns the whole image, resized and not cropped, as (channels, height, width).

        `image` is what `picture_of` takes. Raises DataError or ShapeError as `picture_of` does.
        """
        picture = picture_of(image)
        if self.channels == GRAY:
            picture = (picture @ GREY_WEIGHTS)[..., None]
        elif self.channels == RGB:
            picture = picture[..., ::-1]
        return self.prepared(resize(picture, height, width).astype(np.float32).transpose(2, 0, 1) * RAW_SCALE)

    def prepared(self, pixels: Picture) -> Picture:
        """Returns (pixels - mean) * scale; `pixels` are (..., channels, height, width), in the net's order."""
        if self.mean:
            pixels = pixels - np.array(self.mean, np.float32).reshape(-1, 1, 1)
        return pixels if self.scale == 1 else pixels * np.float32(self.scale)


def picture_of(image: Any) -> Picture:
    """Returns an image as (height, width, 3), blue first, from 0 to 1.

    `image` is a path, a PIL image of 8 or 16 bits, or an array of uint8: RGB (height, width, 3), RGBA, or grey (height,
    width). DataError for a file that `read_picture` refuses; ShapeError for another array.
    """
    if isinstance(image, str | Path):
        return read_picture(str(image))
    is_pil = hasattr(image, "getbands")
    # A PIL image in a palette or in CMYK has other numbers than colours; one of more than 8 bits would be cut off.
    pixels = np.asarray(image.convert("RGB") if is_pil and image.mode[0] not in "IF" else image)
    is_image = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    is_known = pixels.dtype == np.uint8 or (is_pil and pixels.dtype == np.uint16)
    if not (is_known and is_image and pixels.size):
        raise ShapeError(
            "image: expected a path, a PIL image or an array of uint8, RGB (height, width, 3) or grey "
            f"(height, width), found {pixels.dtype} of shape {pixels.shape}"
        )
    return _scaled(pixels if pixels.ndim == 2 else pixels[..., 2::-1])


def read_picture(path: str) -> Picture:
    """An image file as (height, width, 3), blue first, in 0..1.

    Grey becomes three equal channels, alpha is dropped, and EXIF orientation is ignored, as in the released code.
    Raises DataError where the path is no regular file, the file no image of 8 or 16 bits, or an image of more pixels
    than the limit.
    """
    encoded = read_regular(path, "image")
    refuse_bomb(encoded, shown(path))
    picture = _decode(encoded)
    if picture is None:
        raise DataError(f"{shown(path)}: cannot read the image; it is damaged or of a format that OpenCV does not know")
    if not np.issubdtype(picture.dtype, np.unsignedinteger):
        raise DataError(f"{shown(path)}: expected whole numbers of 8 or 16 bits, found {picture.dtype}; "
                        "convert the image")  # fmt: skip
    return _scaled(picture)


def _decode(encoded: bytes) -> NDArray[Any] | None:
    """The pixels as stored; None where OpenCV cannot decode them."""
    try:
        return cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED) if encoded else None
    except cv2.error:
        return None


def _scaled(picture: NDArray[Any]) -> Picture:
    """Returns whole numbers as parts of their type's largest, in three channels."""
    scaled: Picture = (picture / np.iinfo(picture.dtype).max).astype(np.float32)
    return np.repeat(scaled[..., None], 3, axis=2) if scaled.ndim == 2 else scaled[..., :3]


@dataclass(frozen=True)
class ImageFlags:
    """What a user says about a net's images; None stands for what is not said. `size` is (height, width)."""

    channels: str | None = None
    mean: tuple[float, ...] | None = None
    scale: float | None = None
    size: tuple[int, int] | None = None

    def over(self, stored: Preprocessing | None, planes: int = 3) -> Preprocessing | None:
        """Returns `stored` with what the user says in its place; None if neither says anything.

        If nothing is stored, what is not said is BGR (grey for one plane), mean 0 and scale 1.
        """
        if (self.channels, self.mean, self.scale) == (None, None, None):
            return stored
        start = stored or Preprocessing(GRAY if planes == CHANNELS[GRAY] else BGR)
        return Preprocessing(
            start.channels if self.channels is None else self.channels,
            start.mean if self.mean is None else self.mean,
            start.scale if self.scale is None else self.scale,
        )

    def contradiction(self, stored: Preprocessing | None, where: str) -> str:
        """Returns a line about flags that differ from what `where` holds, or ""."""
        meant = self.over(stored)
        if stored is None or meant == stored:
            return ""
        return f"images: {meant}, as the flags say; {where} says {stored}"


#: Flags that say nothing.
UNSAID = ImageFlags()
