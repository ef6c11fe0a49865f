"""Image files, read and resized as Caffe's ReadImageToCVMat does (io.cpp)."""

from typing import Any

import cv2
from numpy.typing import NDArray

from caffe_compat.data.datum import decode_image
from caffe_compat.errors import DataError


def read_image(path: str, flag: int, owner: str, height: int = 0, width: int = 0) -> NDArray[Any]:
    """uint8 (height, width, channels), blue first; resized (linear) to height x width where both are given."""
    try:
        with open(path, "rb") as file:
            encoded = file.read()
    except OSError as error:
        raise DataError(f"{owner}: could not load '{path}': {error.strerror}") from error
    return resize(decode_image(encoded, flag, f"{owner}: '{path}'"), height, width)


def resize(image: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """Linear, as cv::resize's default; 0 x 0 keeps the size."""
    if not (height and width) or image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height)).reshape(height, width, -1)
