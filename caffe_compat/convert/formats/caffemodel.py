"""Reads and writes Caffe's own weights: .caffemodel of either dialect and .caffemodel.h5."""

import logging
from collections import Counter
from itertools import count
from typing import Any

from caffe_compat.convert.model import Model
from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import Weights, read_weights
from caffe_compat.proto.write import write_weights

_LOG = logging.getLogger(__name__)


def read_caffemodel(path: str, dialect: str | None = None) -> Model:
    """Returns the model in a binary file of any version and dialect, or in HDF5 (weights by layer name, without a net).

    FormatError for a damaged file, or several layers with weights and the same name.
    """
    weights = read_weights(path, dialect)
    _require_unique_names(weights)
    net: Any = weights.net
    _tell_apart(weights)
    net.DiscardUnknownFields()  # named in a warning when the file was read
    if not net.layer:
        net = caffe_pb2.NetParameter(layer=[caffe_pb2.LayerParameter(name=layer.name) for layer in weights.layers])
    blobs = {layer.name: layer.blobs for layer in weights.layers if layer.blobs}
    return Model(net, blobs, weights.dialect, path, has_gradients=weights.has_gradients)


def _require_unique_names(weights: Weights) -> None:
    counts = Counter(layer.name for layer in weights.layers if layer.blobs)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise FormatError(
            f"{weights.path}: expected one layer of each name, found several with weights named '{twice[0]}'; "
            "Caffe copies weights by name, so rename one"
        )


def _tell_apart(weights: Weights) -> None:
    """Renames layers without weights that have the same name as a layer with weights, and logs a warning.

    Otherwise the owner of the weights would be ambiguous. Caffe saves such a net and then refuses its own file
    (net.cpp, CopyTrainedLayersFrom).
    """
    owners = {layer.name for layer in weights.layers if layer.blobs}
    taken = {layer.name for layer in weights.layers}
    for layer, loaded in zip(weights.net.layer, weights.layers, strict=False):
        if layer.name in owners and not loaded.blobs:
            free = next(name for number in count(2) if (name := f"{layer.name}_{number}") not in taken)
            _LOG.warning("%s: layer '%s' (%s) is read as '%s': a layer with weights has its name",
                         weights.path, layer.name, layer.type, free)  # fmt: skip
            taken.add(free)
            layer.name = free


def write_caffemodel(path: str, model: Model, dialect: str = "auto") -> None:
    """Writes a .caffemodel, or HDF5 if the path ends in .h5."""
    write_weights(path, model.net, model.blobs, dialect)
