"""How many pixels an image file declares, read from its header before anything is decoded.

A file of a megabyte may declare an image of gigabytes (a decompression bomb). JPEG and PNG headers are read here, which
costs microseconds; other formats are left to Pillow, which reads headers only.
"""

import io
import struct
import warnings

from PIL import Image

from caffe_compat.errors import DataError

#: 100 million pixels: 300 MB as colours. Photographs of today's cameras have at most that.
DEFAULT_MOST_PIXELS = 100_000_000
_PNG = b"\x89PNG\r\n\x1a\n"
#: How much deflate, PNG's compression, packs at most; a pixel has a bit at least.
_MOST_PACKED = 1032
_JPEG = b"\xff\xd8"
#: JPEG markers of frames, which hold the size, and markers without a length.
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


class _Limit:
    """The limit of this process, which the flag --max-pixels sets."""

    most_pixels = DEFAULT_MOST_PIXELS


def set_most_pixels(pixels: int) -> None:
    """Sets the largest number of pixels that an image may have; DataError for a number below 1."""
    if pixels < 1:
        raise DataError(f"--max-pixels {pixels}: expected a number of pixels above 0")
    _Limit.most_pixels = pixels


def require_pixels(height: int, width: int, what: str) -> None:
    """DataError where height times width is above the limit; `what` begins the message."""
    if height * width > _Limit.most_pixels:
        raise DataError(
            f"{what} of {width} x {height} pixels, above the limit of {_Limit.most_pixels}; "
            "give --max-pixels to allow it, or make the image smaller"
        )


def refuse_bomb(encoded: bytes | memoryview, owner: str) -> None:
    """DataError where the header of an image file declares more pixels than the limit, or than the file can hold."""
    size = declared_size(encoded)
    if size is None:
        return
    require_pixels(*size, f"{owner}: the file declares an image")
    if bytes(encoded[:8]) == _PNG and size[0] * (size[1] // 8 + 1) > _MOST_PACKED * len(encoded):
        raise DataError(
            f"{owner}: the file declares an image of {size[1]} x {size[0]} pixels, more than its {len(encoded)} bytes "
            "can hold; it is damaged: copy it again"
        )


def declared_size(encoded: bytes | memoryview) -> tuple[int, int] | None:
    """(height, width) as the file's header says; None where the header is of no known format or damaged."""
    head = bytes(encoded[:24])
    if head.startswith(_PNG) and len(head) == 24:
        width, height = struct.unpack(">II", head[16:24])
        return height, width
    if head.startswith(_JPEG):
        return _jpeg_size(encoded)
    return _size_by_pillow(encoded)


def _jpeg_size(encoded: bytes | memoryview) -> tuple[int, int] | None:
    """The size in the first frame header, found by hopping from marker to marker."""
    place = 2
    while place + 9 <= len(encoded):
        if encoded[place] != 0xFF:
            return None
        marker = encoded[place + 1]
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", bytes(encoded[place + 5 : place + 9]))
            return height, width
        if marker == 0xFF:
            place += 1
        elif marker in _WITHOUT_LENGTH:
            place += 2
        else:
            place += 2 + int.from_bytes(encoded[place + 2 : place + 4], "big")
    return None


def _size_by_pillow(encoded: bytes | memoryview) -> tuple[int, int] | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Pillow's own limit
            with Image.open(io.BytesIO(encoded)) as image:
                return image.height, image.width
    except Image.DecompressionBombError:
        return _ABOVE_EVERY_LIMIT
    except Exception:  # damaged headers raise errors of many kinds; the decoder says what is wrong
        return None


_ABOVE_EVERY_LIMIT = (2**31, 2**31)
