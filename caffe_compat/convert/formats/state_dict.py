"""Reads and writes PyTorch state dicts of plain tensors, with the description of the net in a second file, JSON."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from caffe_compat.convert.formats.description import (
    describe,
    described,
    model_of,
    read_description,
    tensors_of,
    without_counters,
)
from caffe_compat.convert.formats.zip_members import require_no_bomb
from caffe_compat.convert.model import Model
from caffe_compat.convert.pretrained.pixels import USUAL, Pixels
from caffe_compat.convert.pretrained.read import pretrained_model
from caffe_compat.convert.pretrained.recognise import is_resnet
from caffe_compat.errors import FormatError
from caffe_compat.proto.blobs import Blob
from caffe_compat.proto.file_bytes import replacing

#: Keys under which training scripts store the state dict in a checkpoint.
NESTED = ("state_dict", "model_state_dict", "model")
#: Errors of torch.load for damaged files; the type depends on the damaged part.
DAMAGE = (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, LookupError, TypeError, AttributeError)


def description_path(path: str) -> Path:
    """Returns the path of a file's description: `net.pt.json` for `net.pt`."""
    return Path(f"{path}.json")


def write_state_dict(path: str, model: Model) -> None:
    """Writes the description and a file that `torch.load(path, weights_only=True)` reads.

    The file holds `{"<layer>.<blob>": tensor}`, float32.
    """
    tensors = {key: torch.from_numpy(np.array(array, np.float32)) for key, array in tensors_of(model).items()}
    with replacing(path) as beside, replacing(description_path(path)) as described:
        with open(beside, "wb") as file:  # an open file, because torch writes a path's name into the file
            torch.save(tensors, file)
        described.write_text(describe(model) + "\n", encoding="utf-8")


def read_state_dict(path: str, pixels: Pixels = USUAL, given: str | None = None) -> Model:
    """Returns the model in a state dict, or a ResNet that another project published.

    `given` is a file that describes the net if there is no JSON file next to `path`. Never runs code from the file
    (weights_only). FormatError for any other file.
    """
    beside = description_path(path)
    require_no_bomb(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        if reason.startswith("Weights only load failed"):
            reason = "other objects in it are not read, because that can run code"
        raise FormatError(
            f"{path}: not a whole file of plain tensors ({reason}); convert it again, or where torch.save wrote a "
            "whole module, read it by torch.load(path, weights_only=False) and write it by caffe_compat.save"
        ) from error
    tensors = _innermost(content)
    if not isinstance(tensors, dict):
        raise FormatError(f"{path}: expected a dictionary of tensors, found {type(tensors).__name__}; convert it again")
    if not beside.is_file() and is_resnet(tensors):
        return pretrained_model(path, _floats_of(path, tensors), pixels)
    if not beside.is_file() and given is None:
        raise FormatError(
            f"{path}: expected {beside.name} beside it, found no such file; move both files together. Without it only "
            "ResNets of torchvision, timm and Hugging Face are known; for a module's state_dict() say which net it "
            "belongs to: load(path, description=...) with the file it was loaded from, or --prototxt"
        )
    keys = without_counters(map(str, tensors))
    description, prefix = (read_description(beside), "") if beside.is_file() else described(path, str(given), keys)
    arrays = {key.removeprefix(prefix): _array(path, key, tensors.get(key)) for key in keys}
    return model_of(path, description, arrays)


def _innermost(content: object) -> object:
    """Returns the state dict within a training script's checkpoint, or the content itself."""
    for key in NESTED:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            return content[key]
    return content


def _floats_of(path: str, tensors: Mapping[str, object]) -> dict[str, Blob]:
    """Returns all floating-point tensors as float32; integer tensors are left out, since they are only counters."""
    floats = {}
    for key, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor):
            raise FormatError(
                f"{path}: expected a tensor '{key}', found {type(tensor).__name__}; save a state dict alone"
            )
        if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
            raise FormatError(f"{path}: expected all numbers of tensor '{key}' in the file, found fewer")
        if tensor.is_floating_point():
            floats[key] = tensor.detach().float().contiguous().numpy()
    return floats


def _array(path: str, key: object, tensor: object) -> Blob:
    """Returns a tensor's values; FormatError unless it is contiguous float32.

    Non-contiguous tensors are refused, because a small file could then claim much memory.
    """
    if not (isinstance(tensor, torch.Tensor) and tensor.dtype == torch.float32 and tensor.is_contiguous()):
        found = f"{tensor.dtype}" if isinstance(tensor, torch.Tensor) else type(tensor).__name__
        raise FormatError(
            f"{path}: expected a contiguous float32 tensor '{key}', found {found}; convert it "
            "again; of a module save float().state_dict()"
        )
    return np.asarray(tensor.detach().numpy())
