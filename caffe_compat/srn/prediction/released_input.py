"""An image file becomes a net's input as in the released code: read and resized as scikit-image of 2017 does."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.skimage_resize import resize
from caffe_compat.errors import DataError

MEAN_BGR = (104, 117, 123)
RAW_SCALE = np.float32(255)


def net_input(path: str, height: int, width: int) -> NDArray[np.float32]:
    """(3, height, width), blue first, 0 to 255 minus the mean; the whole image, not cropped."""
    pixels = resize(read_picture(path), height, width).astype(np.float32)
    return pixels.transpose(2, 0, 1) * RAW_SCALE - np.array(MEAN_BGR, np.float32).reshape(3, 1, 1)


def read_picture(path: str) -> NDArray[np.float32]:
    """(height, width, 3), blue first, in 0..1; grey becomes three equal channels, alpha is dropped, no rotation."""
    picture: NDArray[Any] | None = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    if picture is None:
        raise DataError(f"{path}: cannot read the image; it is missing or of a format that OpenCV does not know")
    if not np.issubdtype(picture.dtype, np.unsignedinteger):
        raise DataError(f"{path}: expected whole numbers of 8 or 16 bits, found {picture.dtype}; convert the image")
    scaled = (picture / np.iinfo(picture.dtype).max).astype(np.float32)
    return np.repeat(scaled[..., None], 3, axis=2) if scaled.ndim == 2 else scaled[..., :3]
