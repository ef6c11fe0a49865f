"""Reads the number of pixels that an image file declares from its header, before anything is decoded.

A file of a megabyte can declare an image of gigabytes (a decompression bomb). This module reads JPEG and PNG headers
itself, in microseconds. For other formats it uses Pillow, which also reads only the header.
"""

import io
import re
import struct
import threading

from PIL import Image

from caffe_compat.errors import DataError

#: 100 million pixels, 300 MB in colour; photographs of current cameras have at most that many.
DEFAULT_MOST_PIXELS = 100_000_000
_PNG = b"\x89PNG\r\n\x1a\n"
#: Largest compression ratio of deflate (PNG). With at least a bit per pixel, it limits the pixels of a file.
_MOST_PACKED = 1032
#: A part of a PNG that is cut off may declare so many bytes: the part before the cut can still be decoded.
_LARGEST_CUT_CHUNK = 2**26
_JPEG = b"\xff\xd8"
#: JPEG markers of frames, which hold the size, and markers without a length.
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


#: The first bytes of Radiance HDR, of PAM and of PFM; how far their headers are read; how they declare their size.
_IN_WORDS = (b"#?RADIANCE", b"#?RGBE", b"P7", b"PF", b"Pf")
_HEAD_IN_WORDS = 2**16
_SIZES_IN_WORDS = (
    re.compile(rb"\n[-+]Y +(?P<height>\d{1,12}) +[-+]X +(?P<width>\d{1,12})\s"),
    re.compile(rb"\A(?=P7.*?\nWIDTH +(?P<width>\d{1,12})\s)P7.*?\nHEIGHT +(?P<height>\d{1,12})\s", re.DOTALL),
    re.compile(rb"\AP[Ff]\s+(?P<width>\d{1,12})\s+(?P<height>\d{1,12})\s"),
)


class _Limit:
    """The limit of this process; the flag --max-pixels sets it."""

    most_pixels = DEFAULT_MOST_PIXELS


def set_most_pixels(pixels: int) -> None:
    """Sets the largest number of pixels that an image may have; DataError for a number below 1."""
    if pixels < 1:
        raise DataError(f"--max-pixels {pixels}: expected a number of pixels above 0")
    _Limit.most_pixels = pixels


def require_pixels(height: int, width: int, what: str) -> None:
    """Raises DataError if height times width exceeds the limit; `what` begins the message."""
    if height * width > _Limit.most_pixels:
        raise DataError(
            f"{what} of {width} x {height} pixels, above the limit of {_Limit.most_pixels}; "
            "give --max-pixels to allow it, or make the image smaller"
        )


def refuse_bomb(encoded: bytes | memoryview, owner: str) -> None:
    """Raises DataError if an image file declares more pixels than the limit, or than its length can hold."""
    size = declared_size(encoded)
    if size is None:
        return
    require_pixels(*size, f"{owner}: the file declares an image")
    if beyond := bytes_beyond(encoded):
        raise DataError(
            f"{owner}: a part of the PNG declares {beyond} bytes, the file holds {len(encoded)}; it is damaged: copy "
            "it again"
        )
    if bytes(encoded[:8]) == _PNG and size[0] * (size[1] // 8 + 1) > _MOST_PACKED * len(encoded):
        raise DataError(
            f"{owner}: the file declares an image of {size[1]} x {size[0]} pixels, more than its {len(encoded)} bytes "
            "can hold; it is damaged: copy it again"
        )


def bytes_beyond(encoded: bytes | memoryview) -> int:
    """The bytes that a part of a PNG declares where they are far more than the file has, else 0.

    OpenCV takes memory for them before it reads them.
    """
    place = len(_PNG) if bytes(encoded[:8]) == _PNG else len(encoded)
    while place + 8 <= len(encoded):
        (length,) = struct.unpack_from(">I", encoded, place)
        if length > _LARGEST_CUT_CHUNK and place + length > len(encoded):
            return int(length)
        place += 12 + length
    return 0


def declared_size(encoded: bytes | memoryview) -> tuple[int, int] | None:
    """(height, width) from the file's header; None if the header is damaged or of an unknown format."""
    head = bytes(encoded[:24])
    if head.startswith(_PNG) and len(head) == 24:
        width, height = struct.unpack(">II", head[16:24])
        return height, width
    if head.startswith(_JPEG):
        return _jpeg_size(encoded)
    return _size_in_words(encoded) or _size_by_pillow(encoded)


def _size_in_words(encoded: bytes | memoryview) -> tuple[int, int] | None:
    """(height, width) of formats that OpenCV decodes and Pillow does not know; their headers are text."""
    head = bytes(encoded[:_HEAD_IN_WORDS])
    if not head.startswith(_IN_WORDS):
        return None
    sizes = [pattern.search(head) for pattern in _SIZES_IN_WORDS]
    height, width = next(((found["height"], found["width"]) for found in sizes if found), (b"0", b"0"))
    return int(height), int(width)


def _jpeg_size(encoded: bytes | memoryview) -> tuple[int, int] | None:
    """(height, width) from the first frame header, reached by skipping from marker to marker."""
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


class _WithoutPillowsLimit:
    """While its block runs, Pillow reads headers of images of any size: the limit is ours, and has a flag."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._before: int | None = None

    def __enter__(self) -> None:
        self._lock.acquire()
        self._before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None

    def __exit__(self, *_: object) -> None:
        Image.MAX_IMAGE_PIXELS = self._before
        self._lock.release()


_without_pillows_limit = _WithoutPillowsLimit()


def _size_by_pillow(encoded: bytes | memoryview) -> tuple[int, int] | None:
    try:
        with _without_pillows_limit, Image.open(io.BytesIO(encoded)) as image:
            return image.height, image.width
    except Exception:  # damaged headers raise many error types; the decoder reports the damage later
        return None
