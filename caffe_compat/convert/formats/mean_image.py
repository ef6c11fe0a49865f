"""Converts mean images between Caffe's .binaryproto, NumPy, safetensors and PyTorch."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save

from caffe_compat.convert.formats.numpy_file import load_npy
from caffe_compat.convert.model import path_with_suffix
from caffe_compat.errors import FormatError
from caffe_compat.proto.blobs import Blob
from caffe_compat.proto.file_bytes import replacing
from caffe_compat.proto.read import read_blob
from caffe_compat.proto.write import write_blob

KEY = "mean"


def is_mean(path: str) -> bool:
    """Whether the file's suffix is one of mean images: .binaryproto or .npy."""
    return path.endswith((".binaryproto", ".npy"))


def _npy(path: Path, array: Blob) -> None:
    with path.open("wb") as file:
        np.save(file, array)


def _safetensors(path: Path, array: Blob) -> None:
    path.write_bytes(save({KEY: np.ascontiguousarray(array)}))


def _torch(path: Path, array: Blob) -> None:
    with path.open("wb") as file:  # an open file, because torch writes a path's name into the file
        torch.save({KEY: torch.from_numpy(np.array(array))}, file)


#: Targets that only mean images have.
MEAN_TARGETS = ("npy", "binaryproto")
WRITERS: dict[str, tuple[str, Callable[[Path, Blob], None]]] = {
    "npy": (".npy", _npy),
    "binaryproto": (".binaryproto", write_blob),
    "safetensors": (".safetensors", _safetensors),
    "torch": (".pt", _torch),
}


def convert_mean(source: str, to: str, out: str | None = None) -> str:
    """Writes the mean image in the format `to` and returns the path of the new file.

    The array is BGR, with the shape in the source, usually (1, channels, height, width). FormatError for an unknown
    format, a damaged source, or a target equal to the source.
    """
    if to not in WRITERS:
        raise FormatError(f"{source}: a mean image becomes one of {', '.join(WRITERS)}, not {to}")
    array = _read(source)
    suffix, write = WRITERS[to]
    path = out or path_with_suffix(source, suffix)
    if os.path.realpath(path) == os.path.realpath(source):
        raise FormatError(f"{path}: expected another file than the source; name the target with --out")
    with replacing(path) as beside:
        write(beside, array)
    return path


def _read(source: str) -> Blob:
    if not source.endswith(".npy"):
        return read_blob(source)
    array = load_npy(source, "save the image again, alone")
    if array.dtype != np.float32:
        raise FormatError(f"{source}: expected float32 values, found {array.dtype}; save the array as float32")
    return array
