"""Reads a model from any supported file; the first bytes of the file decide the format."""

import json
import os
from pathlib import Path

from caffe_compat.convert.formats.caffemodel import read_caffemodel
from caffe_compat.convert.formats.safetensors_file import read_safetensors
from caffe_compat.convert.formats.state_dict import read_state_dict
from caffe_compat.convert.model import Model, require_regular
from caffe_compat.convert.pretrained.pixels import USUAL, Pixels
from caffe_compat.errors import FormatError

#: First bytes of files by torch.save: a ZIP archive, or before PyTorch 1.6 a pickled magic number.
TORCH_HEADS = (b"PK\x03\x04", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")
WANTED = "weights (.caffemodel, .caffemodel.h5, .safetensors, .pt or .pth)"
LONGEST_HEAD = max(map(len, TORCH_HEADS))


def read_model(path: str, dialect: str | None = None, pixels: Pixels = USUAL, description: str | None = None) -> Model:
    """Returns the model in a .caffemodel, .caffemodel.h5, .safetensors or .pt file.

    - `dialect` applies to a .caffemodel.
    - `pixels` applies to a ResNet that another project published.
    - `description` applies to a bare state dict: a file that describes the net of the tensors.

    FormatError for any other file.
    """
    require_regular(path)
    if not os.path.lexists(path):
        raise FormatError(f"{path}: no such file; expected {WANTED}")
    if Path(path).is_file():
        if is_safetensors(path):
            return read_safetensors(path, pixels, description)
        if _head(path).startswith(TORCH_HEADS):
            return read_state_dict(path, pixels, description)
    return read_caffemodel(path, dialect)


def _head(path: str) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(LONGEST_HEAD)


def is_safetensors(path: str) -> bool:
    """Whether a file starts with a length and a JSON header of that length.

    Source: https://github.com/huggingface/safetensors.
    """
    with Path(path).open("rb") as file:
        head = file.read(9)
        size = int.from_bytes(head[:8], "little")
        if head[8:] != b"{" or size + 8 > Path(path).stat().st_size:
            return False
        file.seek(8)
        return _is_json(file.read(size))


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
