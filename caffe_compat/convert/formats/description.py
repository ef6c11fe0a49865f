"""A description of the net as JSON, stored with tensors, so that a file of tensors is a complete model."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import json_format
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from caffe_compat.convert.formats.caffemodel import read_caffemodel
from caffe_compat.convert.model import Model, blob_keys, require_structure
from caffe_compat.convert.pretrained.recognise import COUNTER
from caffe_compat.errors import FormatError, some_of
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import Blob
from caffe_compat.proto.dialects.translate import BVLC, WRITE_SCHEMAS
from caffe_compat.proto.file_bytes import read_bytes
from caffe_compat.proto.read import read_net

VERSION = 1
#: Largest number of tensors in an error message.
SHOWN = 4
#: Key of the description in the metadata of a safetensors file.
KEY = "caffe_compat"
#: Ends of the names of weights files that hold their net, or only names of layers (.h5).
WEIGHTS = (".caffemodel", ".h5")

#: What DistributedDataParallel and AveragedModel, and torch.compile put before the keys of a state dict.
WRAPPERS = ("module.", "_orig_mod.")
#: A tensor of AveragedModel's own.
AVERAGED = "n_averaged"

Tensors = dict[str, NDArray[np.float32]]


def tensors_of(model: Model) -> Tensors:
    """Returns the model's blobs by the keys that its description names."""
    types = {layer.name: layer.type for layer in model.net.layer}
    return {
        key: array
        for name, arrays in model.blobs.items()
        for key, array in zip(blob_keys(name, types[name], len(arrays)), arrays, strict=True)
    }


def describe(model: Model) -> str:
    """Returns the description: the net in field names of caffe.proto, and each layer's tensor keys in Caffe's order."""
    keys = {layer.name: blob_keys(layer.name, layer.type, len(model.shapes(layer.name))) for layer in model.net.layer}
    return _content(model, keys)


def _content(model: Model, keys: Mapping[str, list[str]]) -> str:
    content = {
        "format": "caffe_compat",
        "version": VERSION,
        "dialect": model.dialect,
        "is_filtered": model.is_filtered,
        "net": json_format.MessageToDict(model.net, preserving_proto_field_name=True),
        "blobs": {name: names for name, names in keys.items() if names},
    }
    return json.dumps(content, indent=1)


def description_in(path: str, keys: Sequence[str]) -> str:
    """Returns the description of tensors with these keys, read from another file.

    The file is a prototxt, a .caffemodel, a .safetensors or .pt file that this converter wrote, or the .json next to
    the .pt file. FormatError if the file holds no description.
    """
    if path.endswith(".safetensors"):
        return _metadata(path)
    if path.endswith((".pt", ".pth", ".json")):
        return read_description(path if path.endswith(".json") else f"{path}.json")
    model = _described_by_caffe(path)
    counts = Counter(key.rpartition(".")[0] for key in keys)
    blobs = {layer.name: blob_keys(layer.name, layer.type, counts[layer.name]) for layer in model.net.layer}
    return _content(model, blobs)


def described(path: str, given: str, keys: Sequence[str]) -> tuple[str, str]:
    """Returns the description of the bare state dict `path`, read from the file `given`, and a prefix of its keys.

    The prefix stands before every key if the module was within some of WRAPPERS; else it is empty. FormatError if no
    key belongs to the described net.
    """
    for prefix in dict.fromkeys(["", _wrappers(keys)]):
        own = [key.removeprefix(prefix) for key in keys]
        description = description_in(given, own)
        known = {key for names in _parsed(given, description)["blobs"].values() for key in names}
        if not known.isdisjoint(own):
            return description, prefix
    raise FormatError(
        f"{path}: expected keys such as '<layer>.weight' with the names of layers of {given}, found "
        f"{', '.join(keys[:3]) or 'no tensors'} ...; give the file from which the module was loaded"
    )


def _wrappers(keys: Sequence[str]) -> str:
    """Returns the prefixes of WRAPPERS before all keys, one after the other."""
    found = ""
    while keys and (more := next((one for one in WRAPPERS if all(key.startswith(found + one) for key in keys)), "")):
        found += more
    return found


def _described_by_caffe(path: str) -> Model:
    """Returns the net of a prototxt or of a .caffemodel; FormatError for weights without a net (HDF5)."""
    if path.endswith(WEIGHTS):
        model = read_caffemodel(path)
        require_structure(model, "to describe a state dict")
        return model
    return Model(read_net(path), {}, BVLC, path, is_filtered=False)


def read_description(path: str | Path) -> str:
    """Returns the text of a description's JSON file; FormatError if the file is not UTF-8."""
    try:
        return read_bytes(path, "the description of a net").decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: the description of the net is not text ({error}); convert again") from error


def _metadata(path: str) -> str:
    try:
        with safe_open(path, "np") as file:
            description: str | None = (file.metadata() or {}).get(KEY)
    except (SafetensorError, OSError) as error:
        raise FormatError(f"{path}: not a whole safetensors file ({error}); convert or download it again") from error
    if description is None:
        raise FormatError(f"{path}: expected a description of the net in the metadata, found none; give a prototxt")
    return description


def without_counters(keys: Iterable[str]) -> list[str]:
    """Returns the keys without counters of BatchNorm2d and AveragedModel, of which prediction makes no use."""
    return [key for key in keys if not key.endswith(COUNTER) and key != AVERAGED]


def model_of(path: str, description: str, tensors: Mapping[str, Blob]) -> Model:
    """Returns the model of a description and its tensors; FormatError if they do not belong together."""
    content = _parsed(path, description)
    _require_exactly(path, {key for keys in content["blobs"].values() for key in keys}, set(tensors))
    net = _net(path, content["net"])
    blobs = {name: _chosen(tensors, keys) for name, keys in content["blobs"].items()}
    for name in {layer.name for layer in net.layer if layer.type == "BN"} & set(blobs):
        # A state dict has vectors where a BatchNorm2d took the layer's place.
        blobs[name] = [blob[None] if blob.ndim == 1 else blob for blob in blobs[name]]
    return Model(net, blobs, content["dialect"], path, content["is_filtered"], has_variances=True)


def _require_exactly(path: str, expected: set[str], found: set[str]) -> None:
    """Raises FormatError for missing and for additional tensors, as torch's load_state_dict does."""
    missing, more = sorted(expected - found), sorted(found - expected)
    complaints = [f"missing {some_of(missing, SHOWN)}"] if missing else []
    complaints += [f"found {some_of(more, SHOWN)}, of which no layer makes use"] if more else []
    if complaints:
        cure = ", or leave out what no layer uses" if more else ""
        raise FormatError(
            f"{path}: expected the tensors that its description names, {' and '.join(complaints)}; "
            f"take description and tensors from one conversion{cure}"
        )


def _chosen(tensors: Mapping[str, Blob], keys: Sequence[str]) -> list[Blob]:
    return [tensors[key] for key in keys]


def _net(path: str, fields: Any) -> caffe_pb2.NetParameter:
    try:
        return json_format.ParseDict(fields, caffe_pb2.NetParameter())
    except json_format.ParseError as error:
        reason = str(error).splitlines()[0]
        raise FormatError(f"{path}: the description's net is none ({reason}); convert again") from error


#: Parts of a description, besides "format", and their types.
PARTS = {"version": int, "dialect": str, "is_filtered": bool, "net": dict, "blobs": dict}


def _parsed(path: str, description: str) -> dict[str, Any]:
    try:
        content: Any = json.loads(description)
    except (json.JSONDecodeError, RecursionError) as error:
        raise FormatError(f"{path}: the description of the net is not JSON ({error}); convert again") from error
    if not isinstance(content, dict) or content.get("format") != "caffe_compat":
        raise FormatError(f"{path}: expected a description that this converter wrote, found other JSON; convert again")
    for part, kind in PARTS.items():
        if not isinstance(content.get(part), kind):
            raise FormatError(f"{path}: expected '{part}' ({kind.__name__}) in the description; convert again")
    if content["version"] > VERSION:
        raise FormatError(
            f"{path}: its description is of version {content['version']}, this program knows {VERSION}; update it"
        )
    if content["dialect"] not in WRITE_SCHEMAS:
        dialects = ", ".join(WRITE_SCHEMAS)
        raise FormatError(f"{path}: expected one of {dialects} as 'dialect' in the description; convert again")
    if not all(_is_list_of_names(keys) for keys in content["blobs"].values()):
        raise FormatError(f"{path}: expected lists of names under 'blobs' in the description; convert again")
    return content


def _is_list_of_names(keys: Any) -> bool:
    return isinstance(keys, list) and all(isinstance(key, str) for key in keys)
