"""Images as pycaffe's io reads, resizes and crops them: float32, (height, width, channels), red first, 0 to 1."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from caffe_compat.data.image_size import refuse_bomb
from caffe_compat.data.regular_file import read_regular
from caffe_compat.data.skimage_resize import resize
from caffe_compat.errors import DataError, ShapeError
from caffe_compat.pycaffe.array_error import ArrayError

Array = NDArray[Any]
Image = NDArray[np.float32]

#: scikit-image's weights of red, green and blue in a grey value (ITU-R BT.709).
GREY_WEIGHTS = (0.2125, 0.7154, 0.0721)


class ImageFileError(DataError, OSError):
    """A file is not an image; also an OSError (IOError), which scripts catch to skip bad images."""


def load_image(filename: str, color: bool = True) -> Image:
    """Returns the image (height, width, 3), or (height, width, 1) with `color=False`.

    Drops alpha and ignores the EXIF orientation. ImageFileError for other files.
    """
    picture = _as_float(_stored(filename))
    if picture.ndim == 2:
        return np.repeat(picture[..., None], 3 if color else 1, axis=2).astype(np.float32)
    rgb = picture[..., 2::-1]
    return (rgb if color else _grey(rgb)).astype(np.float32)


def _stored(filename: str) -> Array:
    """The values in the file; its header is read first, so that a small file cannot claim much memory."""
    try:
        encoded = read_regular(filename, "load_image")
        refuse_bomb(encoded, filename)
        stored = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED) if encoded else None
    except DataError as error:
        raise ImageFileError(f"{filename}: cannot read the image; {error}") from error
    except cv2.error as error:
        raise ImageFileError(f"{filename}: cannot read the image; {error.err or 'OpenCV refuses it'}") from error
    if stored is None:
        raise ImageFileError(f"{filename}: cannot read the image; it is of a format that OpenCV does not know")
    return np.asarray(stored)


def _as_float(picture: Array) -> Array:
    if np.issubdtype(picture.dtype, np.integer):
        return picture / np.iinfo(picture.dtype).max
    return picture


def _grey(rgb: Array) -> Array:
    red, green, blue = GREY_WEIGHTS
    grey: Array = red * rgb[..., 0] + green * rgb[..., 1] + blue * rgb[..., 2]
    return grey[..., None]


def resize_image(im: Array, new_dims: Sequence[int] | Array, interp_order: int = 1) -> Image:
    """Returns the image resized to (*new_dims, channels); pixels may have any range.

    Images of 1 or 3 channels are resized as by scikit-image of 2016, which darkens the borders of enlarged images
    towards the smallest value. Others are resized by scipy's zoom, where centres of corner pixels coincide.
    """
    if im.ndim != 3:
        raise ArrayError(
            f"expected an image (height, width, channels), got {im.shape}; grey has one channel: [..., None]"
        )
    height, width = (int(size) for size in new_dims)
    if im.shape[-1] not in (1, 3):
        scale = (height / im.shape[0], width / im.shape[1], 1)
        zoomed: Image = zoom(im, scale, order=interp_order).astype(np.float32)
        return zoomed
    low, high = im.min(), im.max()
    if high == low:
        return np.full((height, width, im.shape[-1]), low, np.float32)
    resized = resize((im - low) / (high - low), height, width, interp_order)
    scaled: Image = (resized * (high - low) + low).astype(np.float32)
    return scaled


def oversample(images: Sequence[Array] | Array, crop_dims: Sequence[int] | Array) -> Image:
    """Returns ten crops per image, (10 * images, *crop_dims, channels): corners, centre, and their mirror images."""
    height, width = (int(size) for size in crop_dims)
    rows, columns = images[0].shape[:2]
    if height > rows or width > columns:
        raise ShapeError(f"expected crops of at most {rows} x {columns}, the images' size, got {height} x {width}")
    corners = [(top, left) for top in (0, rows - height) for left in (0, columns - width)]
    places = [*corners, (int(rows / 2 - height / 2), int(columns / 2 - width / 2))]
    crops = np.empty((len(images), 2, len(places), height, width, images[0].shape[-1]), np.float32)
    for number, image in enumerate(images):
        crops[number, 0] = [image[top : top + height, left : left + width] for top, left in places]
    crops[:, 1] = crops[:, 0, :, :, ::-1]
    return crops.reshape(-1, *crops.shape[3:])
