"""Model: a trained net in memory, which all formats are read into and written from; Assembly: its layers, which run.

This file also has what all steps of a conversion need: names of blobs, the Scale behind a BatchNorm, a file's name in
errors.
"""

import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NoReturn

import torch
from torch import Tensor, nn

from caffe_compat.errors import (
    CaffeError,
    FormatError,
    GraphError,
    MissingFeatureError,
    ShapeError,
    prefix_file,
    some_of,
)
from caffe_compat.graph.builder import GraphBuilder
from caffe_compat.graph.wiring import Step, Wiring
from caffe_compat.layers import base
from caffe_compat.layers.base import LayerSpec, as_tuple
from caffe_compat.layers.registry import facts_of
from caffe_compat.net.weights import Arrays, copied_beside
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import Blob, same_shape

Layer = caffe_pb2.LayerParameter
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """A net without its values, and the layers' blobs by layer name, in Caffe's order.

    - `is_filtered`: the net has the layers of one phase only, as saved files do; include and exclude rules are applied.
    - `has_structure`: False for bare weights (HDF5), whose layers have names but no types.
    - `has_gradients`: the file also holds diffs (`snapshot_diff`), which do not belong to a trained net.
    - `notes`: facts that a user of the weights must know.
    - `has_variances`: the fourth blob of every BN is known to be the variance, as this program writes it.
    - `needs_stated_images`: the weights were converted for the images that the net states, and for no others.
    - `was_training`: the deploy net comes from a net in phase TRAIN, whose layers may be frozen on purpose.
    """

    net: caffe_pb2.NetParameter
    blobs: dict[str, list[Blob]]
    dialect: str
    path: str
    is_filtered: bool = True
    has_gradients: bool = False
    notes: tuple[str, ...] = ()
    was_training: bool = False
    has_variances: bool = False
    needs_stated_images: bool = False

    @property
    def has_structure(self) -> bool:
        return any(layer.type for layer in self.net.layer)

    def layer(self, name: str) -> Layer:
        """Returns the first layer of this name."""
        return next(layer for layer in self.net.layer if layer.name == name)

    def shapes(self, name: str) -> list[Shape]:
        """Returns the shapes of a layer's blobs; an empty list if the layer has none."""
        return [tuple(blob.shape) for blob in self.blobs.get(name, ())]

    def with_layers(self, layers: Iterable[Layer], blobs: dict[str, list[Blob]]) -> "Model":
        """Returns the same net with other layers and blobs."""
        net = caffe_pb2.NetParameter()
        for field, value in self.net.ListFields():
            if field.name != "layer":
                # Merging a message with only this field works for numbers, lists and messages alike.
                net.MergeFrom(caffe_pb2.NetParameter(**{field.name: value}))
        net.layer.extend(layers)
        return replace(self, net=net, blobs=blobs)


def require_structure(model: Model, what: str) -> None:
    """Raises FormatError for bare weights; `what` names the operation that needs the net."""
    if not model.has_structure:
        raise FormatError(
            f"{model.path}: {what} needs the net, but the file holds weights by layer name only; "
            "give the net with --prototxt (of load, prototxt=...)"
        )


def path_with_suffix(path: str | Path, suffix: str) -> str:
    """Returns the path with its suffix replaced: `weights.caffemodel.h5` becomes `weights` plus `suffix`."""
    name = str(path)
    for known in (".caffemodel.h5", ".caffemodel", ".h5", ".safetensors", ".pt", ".pth", ".binaryproto", ".npy"):
        if name.endswith(known):
            return name.removesuffix(known) + suffix
    return name + suffix


@contextmanager
def file_in_errors(source: str, *others: str | None) -> Iterator[None]:
    """Puts the name of the source in front of CaffeErrors whose messages do not begin with one of these files."""
    try:
        yield
    except CaffeError as error:
        if str(error).startswith(tuple(str(file) for file in (source, *others) if file is not None)):
            raise
        raise prefix_file(error, source) from error


def blob_keys(layer: str, layer_type: str, count: int) -> list[str]:
    """Returns the keys of `count` blobs: `<layer>.<name>`, or `<layer>.<index>` if the layer's class names fewer."""
    names = facts_of(layer_type).blob_names
    return [f"{layer}.{names[index] if count <= len(names) else index}" for index in range(count)]


def scale_behind(layers: Sequence[Layer], wiring: Wiring, index: int) -> int | None:
    """Returns the index of the Scale that belongs to the BatchNorm at `index`, or None.

    The Scale must be the BatchNorm's only reader, with one slope per channel and no second bottom.
    """
    reader = wiring.only_reader(index)
    return reader if reader is not None and is_channel_scale(layers[reader]) else None


def is_channel_scale(layer: Layer) -> bool:
    """Whether the layer is a Scale with one learnt factor per channel."""
    field = layer.scale_param
    return layer.type == "Scale" and len(layer.bottom) == 1 and field.axis == 1 and field.num_axes == 1


def require_regular(path: str | Path) -> None:
    """Raises FormatError for a folder, a pipe, a socket or a device.

    A missing file passes, because opening it later raises a clear error.
    """
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return
    if not stat.S_ISREG(mode):
        raise FormatError(f"{path}: expected a file, found a folder, a pipe, a socket or a device; check the path")


@dataclass(frozen=True)
class Assembly:
    """The layers of a net in order, its inputs with their shapes, and its outputs: tops that no layer reads, sorted."""

    parameter: caffe_pb2.NetParameter
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

    def require_all_used(self, layer: base.Layer) -> None:
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
