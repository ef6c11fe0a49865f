"""Assembles the layers of a deploy net so that they can run, with one copy of the weights in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

import torch
from torch import Tensor, nn

from caffe_compat.convert.model import Model, Shape
from caffe_compat.errors import CaffeError, GraphError, MissingFeatureError, ShapeError, prefix_file, some_of
from caffe_compat.graph.builder import GraphBuilder
from caffe_compat.graph.wiring import Step, Wiring
from caffe_compat.layers.base import Layer, LayerSpec, as_tuple
from caffe_compat.net.weights import Arrays, copied_beside
from caffe_compat.proto.blobs import same_shape
from caffe_compat.proto.caffe_pb2 import NetParameter


@dataclass(frozen=True)
class Assembly:
    """The layers of a net in order, its inputs with their shapes, and its outputs: tops that no layer reads, sorted."""

    parameter: NetParameter
    path: str
    dialect: str
    was_training: bool
    steps: tuple[Step, ...]
    inputs: dict[str, Shape]
    outputs: tuple[str, ...]
    shapes: dict[str, Shape]

    @property
    def name(self) -> str:
        return self.parameter.name

    def run(self, inputs: Mapping[str, Tensor], outputs: Sequence[str] = ()) -> dict[str, Tensor]:
        """Runs layer by layer on inputs by name; returns the blobs named in `outputs` (default: the net's outputs)."""
        values = dict(inputs)
        for step in self.steps:
            tops = as_tuple(step.layer(*(values[bottom] for bottom in step.bottoms)))
            values.update(zip(step.tops, tops, strict=True))
        return {name: values[name] for name in outputs or self.outputs}


def assemble(deployed: Model) -> Assembly:
    """Returns the layers in phase TEST with weights of their own; ShapeError for missing or unfitting weights."""
    with copied_beside(deployed.blobs) as blobs:
        return connect(deployed, blobs)


def connect(deployed: Model, blobs: Arrays, allow_python_layers: bool = False) -> Assembly:
    """Returns the layers in phase TEST with these arrays as weights.

    Values of the arrays are not read, so they may still be filled by another thread. ShapeError for missing or
    unfitting weights.
    """
    weights = FileWeights(blobs)
    try:
        specify = partial(LayerSpec, phase="TEST", allow_python_layers=allow_python_layers, make_blob=weights.blob)
        return _connect(deployed, GraphBuilder(specify), weights)
    except CaffeError as error:
        raise prefix_file(error, deployed.path) from error


def _connect(deployed: Model, builder: GraphBuilder, weights: "FileWeights") -> Assembly:
    steps = []
    inputs: dict[str, Shape] = {}
    for parameter in deployed.net.layer:
        step = builder.add(parameter)
        weights.require_all_used(step.layer)
        if step.layer.is_input:
            inputs |= dict(zip(step.tops, step.top_shapes, strict=True))
        else:
            steps.append(step)
    outputs = _outputs(inputs, steps)
    about = (deployed.net, deployed.path, deployed.dialect, deployed.was_training)
    return Assembly(*about, tuple(steps), inputs, outputs, builder.shapes)


class FileWeights:
    """Makes layers' blobs from the arrays of a file; blobs with the same `param` name and shape are one parameter."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._shared: dict[str, nn.Parameter] = {}

    def blob(self, spec: LayerSpec, index: int, shape: Shape, learnable: bool) -> nn.Parameter:
        """Returns a layer's blob number `index`; ShapeError if the file has none, or one of another shape."""
        params = spec.parameter.param
        name = params[index].name if index < len(params) else ""
        owner = self._shared.get(name)
        if owner is None or owner.shape != shape:
            owner = nn.Parameter(self._numbers(spec, index, shape), learnable)
        if name:
            self._shared.setdefault(name, owner)
        return owner

    def require_all_used(self, layer: Layer) -> None:
        """Raises ShapeError for more blobs than the layer has, and MissingFeatureError for Python layers with blobs."""
        if layer.spec.type == "Python" and layer.blobs:
            raise MissingFeatureError(
                f"{layer.spec}: gives itself weights, which are not loaded here; run the net with caffe_compat.Net"
            )
        found = len(self._arrays.get(layer.name, ()))
        if found > len(layer.blobs):
            self._refuse(layer.spec, f"{len(layer.blobs)} blobs", found)

    def _numbers(self, spec: LayerSpec, index: int, shape: Shape) -> torch.Tensor:
        arrays = self._arrays.get(spec.name, [])
        if index >= len(arrays):
            self._refuse(spec, f"a blob {index}", f"{len(arrays)} blobs")
        if not same_shape(arrays[index].shape, shape):
            self._refuse(spec, f"blob {index} of shape {shape}", arrays[index].shape)
        return torch.from_numpy(arrays[index]).reshape(shape)

    def _refuse(self, spec: LayerSpec, expected: str, found: object) -> NoReturn:
        raise ShapeError(f"{spec}: expected {expected}, found {found}; give the weights that belong to this net")


def _outputs(inputs: dict[str, Shape], steps: Sequence[Step]) -> tuple[str, ...]:
    wiring = Wiring([((), inputs), *((step.bottoms, step.tops) for step in steps)])
    return tuple(sorted(wiring.unread()))


def require_blobs(net: Assembly, names: Sequence[str]) -> None:
    """Raises GraphError for a name that is not a blob of the net."""
    for name in names:
        if name not in net.shapes:
            raise GraphError(
                f"{net.path}: no blob '{name}' to give out; outputs: {some_of(net.outputs)}; "
                f"any other blob may be named, too: {', '.join(list(net.shapes)[-8:])} ..."
            )
