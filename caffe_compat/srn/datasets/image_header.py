"""Size, orientation and colours in the headers of JPEG and PNG files, which decide how pixels are decoded."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

#: Suffixes of the formats that OpenCV reads.
SUFFIXES = (
    ".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".jpe", ".jp2", ".ppm", ".pgm", ".pbm", ".gif", ".avif",
)  # fmt: skip
_START_OF_SCAN, _EXIF = 0xDA, 0xE1
#: Start-of-frame markers: C0 to CF, except tables (C4), extensions (C8) and arithmetic conditioning (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ORIENTATION_TAG = 0x0112
_CMYK_COMPONENTS = 4


class ImageHeader(NamedTuple):
    """Width and height as stored, 0 where not known; EXIF orientation, 1 to 8."""

    width: int = 0
    height: int = 0
    orientation: int = 1
    cmyk: bool = False


def has_image_suffix(name: str) -> bool:
    """Whether a file name ends as image files do."""
    return name.strip().lower().endswith(SUFFIXES)


def read_header(encoded: bytes) -> ImageHeader:
    """The header of a JPEG or PNG; of other or damaged files an ImageHeader without values."""
    for start, read in _READERS.items():
        if encoded.startswith(start):
            try:
                return read(encoded)
            except struct.error:  # the file ends within its header; the decoder reports it
                break
    return ImageHeader()


def _jpeg(encoded: bytes) -> ImageHeader:
    header = ImageHeader()
    for marker, content in _jpeg_segments(encoded):
        if marker in _FRAMES:
            height, width, components = struct.unpack_from(">xHHB", content)
            header = header._replace(width=width, height=height, cmyk=components == _CMYK_COMPONENTS)
        elif marker == _EXIF and content.startswith(b"Exif\0\0"):
            header = header._replace(orientation=_orientation(content[6:]))
    return header


def _jpeg_segments(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    """Markers and contents of the segments before the first pixels."""
    place = 2
    while place < len(encoded):
        start, marker = struct.unpack_from("BB", encoded, place)
        if start != 0xFF or marker == _START_OF_SCAN:
            return
        if marker == 0xFF:  # markers may be preceded by any number of these
            place += 1
            continue
        (length,) = struct.unpack_from(">H", encoded, place + 2)
        yield marker, encoded[place + 4 : place + 2 + length]
        place += 2 + length


def _png(encoded: bytes) -> ImageHeader:
    width, height = struct.unpack_from(">II", encoded, 16)
    exif = next((content for kind, content in _png_chunks(encoded) if kind == b"eXIf"), None)
    return ImageHeader(width, height, _orientation(exif) if exif else 1)


def _png_chunks(encoded: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place + 8 <= len(encoded):
        length, kind = struct.unpack_from(">I4s", encoded, place)
        yield kind, encoded[place + 8 : place + 8 + length]
        place += 12 + length


def _orientation(exif: bytes) -> int:
    """The orientation of an EXIF block (a TIFF directory); 1 if it has none."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    (directory,) = struct.unpack_from(f"{order}I", exif, 4)
    (entries,) = struct.unpack_from(f"{order}H", exif, directory)
    for entry in range(entries):
        tag, value = struct.unpack_from(f"{order}H6xH", exif, directory + 2 + 12 * entry)
        if tag == _ORIENTATION_TAG:
            return value if 1 <= value <= 8 else 1
    return 1


_READERS = {b"\xff\xd8": _jpeg, b"\x89PNG\r\n\x1a\n": _png}
