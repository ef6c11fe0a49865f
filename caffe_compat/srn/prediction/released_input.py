"""Image files as a net's input, read and resized as the released code does with the scikit-image of 2017."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.image_size import refuse_bomb
from caffe_compat.data.regular_file import read_regular, shown
from caffe_compat.data.skimage_resize import resize
from caffe_compat.errors import DataError

MEAN_BGR = (104, 117, 123)
RAW_SCALE = np.float32(255)


def net_input(path: str, height: int, width: int) -> NDArray[np.float32]:
    """An image file as (3, height, width), blue first, 0 to 255 minus the mean; the whole image, not cropped.

    Raises DataError as `read_picture` does.
    """
    pixels = resize(read_picture(path), height, width).astype(np.float32)
    return pixels.transpose(2, 0, 1) * RAW_SCALE - np.array(MEAN_BGR, np.float32).reshape(3, 1, 1)


def read_picture(path: str) -> NDArray[np.float32]:
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
    scaled = (picture / np.iinfo(picture.dtype).max).astype(np.float32)
    return np.repeat(scaled[..., None], 3, axis=2) if scaled.ndim == 2 else scaled[..., :3]


def _decode(encoded: bytes) -> NDArray[Any] | None:
    """The pixels as stored; None where OpenCV cannot decode them."""
    try:
        return cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED) if encoded else None
    except cv2.error:
        return None
