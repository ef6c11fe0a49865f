"""Reads and resizes image files like Caffe's ReadImageToCVMat (io.cpp)."""

from typing import Any

import cv2
from numpy.typing import NDArray

from caffe_compat.data.image_size import require_pixels
from caffe_compat.data.regular_file import read_regular, shown
from caffe_compat.data.sources.datums import decode_image


def read_image(path: str, flag: int, owner: str, height: int = 0, width: int = 0) -> NDArray[Any]:
    """uint8 (height, width, channels), blue first; resized (linear) to height x width if both are given."""
    encoded = read_regular(path, owner)
    return resize(decode_image(encoded, flag, f"{owner}: '{shown(path)}'"), height, width, owner)


def resize(image: NDArray[Any], height: int, width: int, owner: str = "resize") -> NDArray[Any]:
    """The image resized with cv::resize's default (linear); height 0 and width 0 keep the size."""
    if not (height and width) or image.shape[:2] == (height, width):
        return image
    require_pixels(height, width, f"{owner}: new_height and new_width ask for an image")
    return cv2.resize(image, (width, height)).reshape(height, width, -1)
