"""Checks an archive before its members are unpacked: a small file must not claim much memory (a ZIP bomb)."""

import zipfile
from pathlib import Path

from caffe_compat.errors import FormatError

#: Bytes that members may unpack to whatever the archive's size, and how many times its size they may take beyond that.
ALWAYS_ALLOWED, LARGEST_GROWTH = 1 << 26, 100


def require_no_bomb(path: str | Path) -> None:
    """Raises FormatError where a ZIP archive's members unpack to far more than its size; other files pass."""
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # Whoever reads the file says what is wrong with it.
    size = Path(path).stat().st_size
    if unpacked > ALWAYS_ALLOWED + LARGEST_GROWTH * size:
        raise FormatError(
            f"{path}: expected arrays of about the file's {size} bytes, found members that unpack to {unpacked}; "
            "the file is damaged or made to fill the memory"
        )
