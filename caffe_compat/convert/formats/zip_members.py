"""Checks an archive before its members are unpacked, so that a small file cannot fill the memory (a ZIP bomb)."""

import zipfile
from pathlib import Path

from caffe_compat.errors import FormatError

#: Members may unpack to ALWAYS_ALLOWED bytes plus LARGEST_GROWTH times the size of the archive.
ALWAYS_ALLOWED, LARGEST_GROWTH = 1 << 26, 100


def require_no_bomb(path: str | Path) -> None:
    """Raises FormatError if a ZIP archive's members unpack to far more bytes than its size; other files pass."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # The reader of the file reports what is wrong.
    size = Path(path).stat().st_size
    if unpacked > ALWAYS_ALLOWED + LARGEST_GROWTH * size:
        raise FormatError(
            f"{path}: expected arrays of about the file's {size} bytes, found members that unpack to {unpacked}; "
            "the file is damaged or made to fill the memory"
        )
