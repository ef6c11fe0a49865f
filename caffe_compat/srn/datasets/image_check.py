"""Image files of any kind become upright 8-bit colour pictures, or a reason why not.

libjpeg continues over damaged data, fills in grey, and reports it on the standard error stream alone, past Python. What
it prints is caught for the report.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.image_size import bytes_beyond, declared_size
from caffe_compat.srn.datasets.image_header import ImageHeader, read_header
from caffe_compat.srn.datasets.samples import Finding

Pixels = NDArray[Any]

#: Larger pictures are decoded at a half, a quarter or an eighth of their sides; these are 200 MB in memory.
HUGE_PIXELS = 2**26
_FLAGS = {
    1: cv2.IMREAD_UNCHANGED,
    2: cv2.IMREAD_REDUCED_COLOR_2 | cv2.IMREAD_IGNORE_ORIENTATION,
    4: cv2.IMREAD_REDUCED_COLOR_4 | cv2.IMREAD_IGNORE_ORIENTATION,
    8: cv2.IMREAD_REDUCED_COLOR_8 | cv2.IMREAD_IGNORE_ORIENTATION,
}
#: The last bytes of a whole file, by its first bytes.
_ENDS = {b"\xff\xd8": b"\xff\xd9", b"\x89PNG": b"IEND\xaeB`\x82"}
_TAIL = 64  # bytes: some programs write a few more after the end
#: From stored pixels to upright ones, by EXIF orientation: quarter turns to the left, after a mirror if True.
_TURNS = {
    1: (False, 0),
    2: (True, 0),
    3: (False, 2),
    4: (True, 2),
    5: (True, 1),
    6: (False, 3),
    7: (True, 3),
    8: (False, 1),
}


class CheckedImage(NamedTuple):
    """Pixels as uint8 (height, width, 3), blue first, and what had to be changed to get them."""

    pixels: Pixels
    findings: tuple[Finding, ...]


def check_image(encoded: bytes, most_pixels: int = 2**28) -> CheckedImage | Finding:
    """The picture in an image file, or why there is none.

    A file whose header promises more than `most_pixels` is not decoded: a small file can hold a huge picture.
    """
    if not encoded:
        return Finding("empty", "the file has no bytes")
    header = read_header(encoded)
    height, width = (header.height, header.width) if header.width else declared_size(encoded) or (0, 0)
    if height * width > most_pixels:
        return Finding(
            "too many pixels", f"{width} x {height} pixels, more than {most_pixels:,}; --max-pixels allows more"
        )
    shrink = _shrink(header)
    pixels, complaints = _decode(encoded, _FLAGS[shrink])
    if pixels is None:
        return _undecodable(encoded, complaints)
    if pixels.dtype not in (np.uint8, np.uint16):
        return Finding("unsupported pixels", f"{pixels.dtype}; convert the image to 8 or 16 bits")
    findings = [Finding("decoder warning", complaints[0])] if complaints else []
    if shrink > 1:
        findings.append(Finding("huge", f"{header.width} x {header.height} pixels, read at 1/{shrink}"))
    return _normalised(pixels, header, findings)


def _shrink(header: ImageHeader) -> int:
    """The smallest divisor of the sides that leaves at most HUGE_PIXELS."""
    fitting = (by for by in _FLAGS if header.width * header.height <= HUGE_PIXELS * by**2)
    return next(fitting, max(_FLAGS))


def _decode(encoded: bytes, flag: int) -> tuple[Pixels | None, list[str]]:
    if beyond := bytes_beyond(encoded):
        return None, [f"a part of the PNG declares {beyond} bytes"]
    with decoder_complaints() as complaints:
        try:
            pixels: Pixels | None = cv2.imdecode(np.frombuffer(encoded, np.uint8), flag)
        except cv2.error as error:  # more pixels than OpenCV allows
            return None, [str(error).strip()]
    return pixels, complaints


def _undecodable(encoded: bytes, complaints: list[str]) -> Finding:
    end = next((end for start, end in _ENDS.items() if encoded.startswith(start)), b"")
    kind = "corrupt" if end in encoded[-_TAIL:] else "truncated"
    return Finding(kind, f"{len(encoded)} bytes; {complaints[0] if complaints else 'OpenCV cannot decode them'}")


def _normalised(pixels: Pixels, header: ImageHeader, findings: list[Finding]) -> CheckedImage:
    if pixels.dtype == np.uint16:
        findings.append(Finding("16 bits", "rounded to 8"))
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.ndim == 2:
        findings.append(Finding("grey", "three equal channels"))
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    if pixels.shape[2] == 4:
        findings.append(Finding("alpha", "dropped"))
        pixels = pixels[..., :3]
    if header.cmyk:
        findings.append(Finding("CMYK", "converted to blue, green, red"))
    if header.orientation > 1:
        findings.append(Finding("rotated", f"EXIF orientation {header.orientation}, turned upright"))
        pixels = upright(pixels, header.orientation)
    return CheckedImage(np.ascontiguousarray(pixels), tuple(findings))


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Stored pixels (height, width, channels) turned and mirrored as an EXIF orientation, 1 to 8, demands."""
    mirrored, quarter_turns = _TURNS[orientation]
    return np.rot90(pixels[:, ::-1] if mirrored else pixels, quarter_turns)


_STANDARD_ERROR = 2
#: Level, thread, seconds and source file, which differ between runs.
_OPENCV_PREFIX = re.compile(r"^\[ *\w+:\S+\] global \S+ ")


@contextmanager
def decoder_complaints() -> Iterator[list[str]]:
    """A list; after the block it holds the lines that were written to standard error within the block."""
    lines: list[str] = []
    kept = os.dup(_STANDARD_ERROR)
    os.dup2(_sink(), _STANDARD_ERROR)
    try:
        yield lines
    finally:
        os.dup2(kept, _STANDARD_ERROR)
        os.close(kept)
        lines.extend(_drained(_sink()))


@cache
def _sink() -> int:
    """One temporary file per process, as a descriptor; creating one per image is slower than decoding."""
    descriptor, path = tempfile.mkstemp()
    os.unlink(path)
    return descriptor


def _drained(sink: int) -> list[str]:
    size = os.fstat(sink).st_size
    if size == 0:
        return []
    lines = os.pread(sink, size, 0).decode("utf-8", "replace").splitlines()
    os.ftruncate(sink, 0)
    os.lseek(sink, 0, os.SEEK_SET)
    return [_OPENCV_PREFIX.sub("", line).strip() for line in lines if line.strip()]
