"""Any file that holds a model, told by its first bytes."""

from pathlib import Path

from caffe_compat.convert.formats.caffemodel import read_caffemodel
from caffe_compat.convert.formats.safetensors_file import is_safetensors, read_safetensors
from caffe_compat.convert.formats.state_dict import read_state_dict
from caffe_compat.convert.model import Model

ZIP = b"PK\x03\x04"  # what torch.save writes


def read_model(path: str, dialect: str | None = None) -> Model:
    """A model from .caffemodel, .caffemodel.h5, .safetensors or .pt; `dialect` is for a .caffemodel only.

    FormatError says what else the file is.
    """
    if Path(path).is_file():
        if is_safetensors(path):
            return read_safetensors(path)
        if _head(path) == ZIP:
            return read_state_dict(path)
    return read_caffemodel(path, dialect)


def _head(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(4)
