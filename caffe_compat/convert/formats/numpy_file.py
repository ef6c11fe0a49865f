"""Reads untrusted NumPy files safely: regular files only, no code is run, and memory is limited by the file's size."""

import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.convert.formats.zip_members import require_no_bomb
from caffe_compat.convert.model import require_regular
from caffe_compat.errors import FormatError

Array = NDArray[Any]

ZIP = b"PK\x03\x04"
#: Errors of numpy.load for damaged files; the type depends on the damaged part.
DAMAGE = (
    ValueError, OSError, EOFError, TypeError, KeyError, AttributeError, SyntaxError, TokenError, zipfile.BadZipFile,
    NotImplementedError, OverflowError, zlib.error,
)  # fmt: skip


def load_npy(path: str | Path, cure: str) -> Array:
    """Returns the array in a .npy file; FormatError, whose message ends with `cure`, for any other file."""
    require_regular(path)
    try:
        if _is_archive(path):
            raise FormatError(f"{path}: expected one array, found an archive of several (.npz); {cure}")
        # A map takes no memory for a shape that is larger than the file, so a wrong shape cannot fill the memory.
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except DAMAGE as error:
        raise FormatError(f"{path}: not a whole NumPy array ({_first_line(error)}); {cure}") from error


def load_npz(path: str | Path, expected: str) -> dict[str, Array]:
    """Returns the arrays in a .npz file by name; FormatError, which says what was `expected`, for any other file."""
    require_regular(path)
    require_no_bomb(path)
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except DAMAGE as error:
        raise FormatError(f"{path}: expected {expected}, found something else: {_first_line(error)}") from None


def _is_archive(path: str | Path) -> bool:
    with Path(path).open("rb") as file:
        return file.read(len(ZIP)) == ZIP


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
