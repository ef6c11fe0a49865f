"""Pictures of every kind that a folder of images may hold, for small copies of datasets."""

import io

import cv2
import numpy as np
from PIL import Image

ORIENTATION = 0x0112


def pixels(seed, height=40, width=56, channels=3):
    """A smooth picture, so that JPEG changes it little."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (5, 7, channels), dtype=np.uint8)
    picture = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return picture if channels > 1 else picture.reshape(height, width)


def encode(picture, suffix=".jpg"):
    return cv2.imencode(suffix, picture)[1].tobytes()


def write_image(path, seed, **size):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(pixels(seed, **size), path.suffix))


def rotated(seed, orientation, kind="JPEG"):
    """A file whose EXIF block says how to turn it."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = io.BytesIO()
    Image.fromarray(pixels(seed)).save(file, kind, exif=exif)
    return file.getvalue()


def cmyk(seed):
    file = io.BytesIO()
    Image.fromarray(pixels(seed, channels=4), "CMYK").save(file, "JPEG", quality=95)
    return file.getvalue()


def damaged(seed):
    """A JPEG with its end, but without some of what comes before."""
    whole = encode(pixels(seed))
    return whole[: 2 * len(whole) // 3] + whole[-2:]


def odd_images():
    """Image files by a name that says what is odd about them."""
    sixteen = pixels(3).astype(np.uint16) * 257
    return {
        "grey.jpg": encode(pixels(1, channels=1)),
        "alpha.png": encode(pixels(2, channels=4), ".png"),
        "sixteen.png": encode(sixteen, ".png"),
        "cmyk.jpg": cmyk(4),
        "rotated.jpg": rotated(5, 6),
        "damaged.jpg": damaged(6),
        "truncated.jpg": encode(pixels(7))[:-300],
        "corrupt.png": corrupt_png(8),
        "empty.jpg": b"",
        "text.jpg": b"<html>404: this photo is no longer available</html>",
    }


def corrupt_png(seed):
    whole = bytearray(encode(pixels(seed), ".png"))
    whole[len(whole) // 2] ^= 0xFF
    return bytes(whole)
