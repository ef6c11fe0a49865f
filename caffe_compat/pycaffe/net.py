"""pycaffe's Net."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from caffe_compat.layers.base import Layer
from caffe_compat.net import net as runtime
from caffe_compat.net.blob import Blob, ParameterBlob
from caffe_compat.net.build import Surroundings, load_net
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_weights

Array = np.ndarray[Any, np.dtype[Any]]


class Net:
    """A net for one phase: `Net("deploy.prototxt", caffe.TEST, weights="w.caffemodel")` or the old positional form."""

    def __init__(
        self,
        network_file: str,
        *args: Any,
        phase: int | None = None,
        level: int = 0,
        stages: Sequence[str] | None = None,
        weights: str | None = None,
    ) -> None:
        if len(args) == 2:  # Net(file, weights, phase), deprecated in Caffe but in every old script
            weights, phase = args
        elif args:
            (phase,) = args
        name = caffe_pb2.Phase.Name(phase if phase is not None else caffe_pb2.TEST)
        self._net = load_net(network_file, name, Surroundings(), level, tuple(stages or ()))
        if weights is not None:
            self.copy_from(weights)

    @classmethod
    def of(cls, net: runtime.Net) -> "Net":
        """The face of a net that exists already (a solver's)."""
        face = cls.__new__(cls)
        face._net = net
        return face

    blobs = property(lambda self: self._net.blobs)
    params = property(lambda self: self._net.params)
    inputs = property(lambda self: list(self._net.inputs))
    outputs = property(lambda self: list(self._net.outputs))
    blob_loss_weights = property(lambda self: self._net.blob_loss_weights)
    name = property(lambda self: self._net.name)
    _layer_names = property(lambda self: self._net.layer_names)

    @property
    def layers(self) -> list["LayerFace"]:
        return [LayerFace(step.layer) for step in self._net.steps]

    @property
    def layer_dict(self) -> "OrderedDict[str, LayerFace]":
        return OrderedDict(zip(self._layer_names, self.layers, strict=True))

    @property
    def top_names(self) -> "OrderedDict[str, list[str]]":
        return OrderedDict((step.layer.name, list(step.tops)) for step in self._net.steps)

    @property
    def bottom_names(self) -> "OrderedDict[str, list[str]]":
        return OrderedDict((step.layer.name, list(step.bottoms)) for step in self._net.steps)

    def _forward(self, start: int, end: int) -> float:
        return self._net.forward_range(start, end)

    def _backward(self, start: int, end: int) -> None:
        self._net.backward_range(start, end)

    def forward(
        self, blobs: Iterable[str] | None = None, start: str | None = None, end: str | None = None, **inputs: Array
    ) -> dict[str, Array]:
        names = self._layer_names
        first = names.index(start) if start is not None else 0
        last = names.index(end) if end is not None else len(names) - 1
        for name, values in inputs.items():
            self.blobs[name].data[...] = values
        self._forward(first, last)
        outputs = self.top_names[end] if end is not None else self.outputs
        return {name: self.blobs[name].data for name in [*outputs, *(blobs or [])]}

    def reshape(self) -> None:
        self._net.reshape()

    def copy_from(self, weights: str) -> None:
        self._net.copy_layers(read_weights(weights).layers, weights)

    def save(self, path: str) -> None:
        self._net.save(path)

    def clear_param_diffs(self) -> None:
        self._net.clear_parameter_gradients()


class LayerFace:
    """A layer as pycaffe shows it: its type and its blobs."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer

    @property
    def type(self) -> str:
        return self._layer.spec.type

    @property
    def blobs(self) -> list[ParameterBlob | Blob]:
        return [ParameterBlob(blob) for blob in self._layer.blobs]
