"""Any file that holds a model, told by its first bytes."""

from pathlib import Path

from caffe_compat.convert.formats.caffemodel import read_caffemodel
from caffe_compat.convert.formats.numpy_file import require_regular
from caffe_compat.convert.formats.safetensors_file import is_safetensors, read_safetensors
from caffe_compat.convert.formats.state_dict import read_state_dict
from caffe_compat.convert.model import Model
from caffe_compat.convert.pretrained.pixels import USUAL, Pixels

#: What torch.save writes: a ZIP archive, or before PyTorch 1.6 a pickle of its own magic number.
TORCH_HEADS = (b"PK\x03\x04", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")
LONGEST_HEAD = max(map(len, TORCH_HEADS))


def read_model(path: str, dialect: str | None = None, pixels: Pixels = USUAL, description: str | None = None) -> Model:
    """A model from .caffemodel, .caffemodel.h5, .safetensors or .pt, or a ResNet that another project published.

    `dialect` is for a .caffemodel, `pixels` for a ResNet of another project. `description` is for a state dict of
    tensors alone: a file that says which net they belong to. FormatError says what else the
    file is.
    """
    require_regular(path)
    if Path(path).is_file():
        if is_safetensors(path):
            return read_safetensors(path, pixels, description)
        if _head(path).startswith(TORCH_HEADS):
            return read_state_dict(path, pixels, description)
    return read_caffemodel(path, dialect)


def _head(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(LONGEST_HEAD)
