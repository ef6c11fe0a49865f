"""Reads and writes safetensors files, with the description of the net in the file's metadata."""

import json
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from caffe_compat.convert.formats.description import (
    KEY,
    describe,
    described,
    model_of,
    tensors_of,
    without_counters,
)
from caffe_compat.convert.model import Model
from caffe_compat.convert.pretrained.pixels import USUAL, Pixels
from caffe_compat.convert.pretrained.read import pretrained_model
from caffe_compat.convert.pretrained.recognise import is_resnet
from caffe_compat.errors import FormatError
from caffe_compat.proto.blobs import Blob
from caffe_compat.proto.file_bytes import replacing


def write_safetensors(path: str, model: Model) -> None:
    """Writes tensors named `<layer>.<blob>`; the metadata contain format "pt", so programs treat them as PyTorch's."""
    tensors = {key: np.ascontiguousarray(array).reshape(array.shape) for key, array in tensors_of(model).items()}
    with replacing(path) as beside:
        beside.write_bytes(_in_order(save(tensors, {"format": "pt", KEY: describe(model)})))


def _in_order(content: bytes) -> bytes:
    """Returns the file's content with sorted metadata, because the library's order changes from run to run."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the library also aligns tensors to 8 bytes
    return len(text).to_bytes(8, "little") + text + content[end:]


def read_safetensors(path: str, pixels: Pixels = USUAL, given: str | None = None) -> Model:
    """Returns the model in a safetensors file, or a ResNet that another project published.

    `given` is a file that describes the net if the metadata do not. FormatError for any other file.
    """
    try:
        with safe_open(path, "np") as file:
            names = list(file.keys())
            metadata = file.metadata() or {}
            description = metadata.get(KEY)
            # The library's save_model writes a shared tensor once, and its other names into the metadata.
            places = {key: key for key in names} | {key: of for key, of in metadata.items() if of in names}
            keys, prefix = without_counters(places), ""
            if description is None and given is not None and not is_resnet(places):
                description, prefix = described(path, given, keys)
            if description is not None:
                tensors = {key.removeprefix(prefix): _tensor(path, file, places[key]) for key in keys}
                return model_of(path, description, tensors)
    except SafetensorError as error:
        raise FormatError(f"{path}: not a whole safetensors file ({error}); convert or download it again") from error
    if is_resnet(dict.fromkeys(names)):
        return pretrained_model(path, _floats_of(path), pixels)
    raise FormatError(
        f"{path}: expected a description of the net in the metadata, or the names of a ResNet of torchvision, timm or "
        f"Hugging Face, found {', '.join(names[:3])} ...; for a module's state_dict() say which net it belongs to: "
        "load(path, description=...) with the file it was loaded from, or --prototxt"
    )


def _floats_of(path: str) -> dict[str, Blob]:
    """Returns all floating-point tensors as float32; integer tensors are left out, since they are only counters."""
    with safe_open(path, "pt") as file:  # read through torch, since NumPy has no bfloat16
        tensors = {key: file.get_tensor(key) for key in list(file.keys())}
    return {key: tensor.float().numpy() for key, tensor in tensors.items() if tensor.is_floating_point()}


def _tensor(path: str, file: Any, key: str) -> Blob:
    kind = file.get_slice(key).get_dtype()
    if kind != "F32":
        raise FormatError(
            f"{path}: expected F32 in tensor '{key}', found {kind}; convert again, and call half() later; of a "
            "module save float().state_dict()"
        )
    return np.asarray(file.get_tensor(key))
