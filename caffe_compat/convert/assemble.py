"""A deploy form becomes layers that run, with one copy of its weights."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from caffe_compat.convert.model import Model, Shape
from caffe_compat.convert.shape_walk import ShapeWalk
from caffe_compat.errors import CaffeError, GraphError, ShapeError
from caffe_compat.layers.base import Layer
from caffe_compat.net.net import prefix_file
from caffe_compat.proto.blobs import Blob

Copies = Mapping[str, Sequence[Future[Blob]]]


@dataclass(frozen=True)
class Step:
    """One layer in its place; an in-place layer's top is its bottom."""

    layer: Layer
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    bottom_shapes: tuple[Shape, ...]
    top_shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Assembly:
    """The layers of a net in order, its inputs with their shapes, and its outputs: tops that no layer reads, sorted."""

    name: str
    path: str
    steps: tuple[Step, ...]
    inputs: dict[str, Shape]
    outputs: tuple[str, ...]
    shapes: dict[str, Shape]


def assemble(deployed: Model, phase: str = "TEST") -> Assembly:
    """The layers with their weights; ShapeError where weights are missing or have other shapes."""
    try:
        return _assemble(deployed, phase)
    except CaffeError as error:
        raise prefix_file(error, deployed.path) from error


def _assemble(deployed: Model, phase: str) -> Assembly:
    with ThreadPoolExecutor(1) as beside:
        # Copying takes as long as all the rest; NumPy lets go of the interpreter meanwhile.
        copies = {name: [beside.submit(_own_copy, blob) for blob in blobs] for name, blobs in deployed.blobs.items()}
        return _connect(deployed, phase, copies)


def _own_copy(source: Blob) -> Blob:
    """The numbers in memory of their own: the file's bytes are read-only, and lie where float32 should not."""
    return np.array(source, np.float32)


def _connect(deployed: Model, phase: str, copies: Copies) -> Assembly:
    walk = ShapeWalk({}, phase)
    shared: dict[str, nn.Parameter] = {}
    steps = []
    inputs: dict[str, Shape] = {}
    for parameter in deployed.net.layer:
        bottom_shapes = tuple(walk.shapes[bottom] for bottom in parameter.bottom if bottom in walk.shapes)
        layer = walk.enter(parameter)
        top_shapes = tuple(walk.shapes[top] for top in parameter.top)
        if layer.is_input:
            inputs |= dict(zip(parameter.top, top_shapes, strict=True))
            continue
        _take_weights(layer, copies.get(layer.name, []), shared)
        steps.append(Step(layer, tuple(parameter.bottom), tuple(parameter.top), bottom_shapes, top_shapes))
    return Assembly(deployed.net.name, deployed.path, tuple(steps), inputs, _outputs(inputs, steps), walk.shapes)


def _take_weights(layer: Layer, sources: Sequence[Future[Blob]], shared: dict[str, nn.Parameter]) -> None:
    """The file's arrays as the layer's blobs; blobs that share a name and a shape are one parameter."""
    names = [spec.name for spec in layer.spec.parameter.param] + [""] * len(layer.blobs)
    if len(sources) != len(layer.blobs) and not all(name in shared for name in names[: len(layer.blobs)]):
        raise ShapeError(
            f"{layer.spec}: expected {len(layer.blobs)} blobs, found {len(sources)}; "
            "give the weights that belong to this net"
        )
    for index, blob in enumerate(list(layer.blobs)):
        owner = shared.get(names[index])
        if owner is None or owner.shape != blob.shape:
            owner = nn.Parameter(_numbers(layer, index, sources[index].result(), tuple(blob.shape)), blob.requires_grad)
        layer.blobs[index] = owner
        if names[index]:
            shared.setdefault(names[index], owner)


def _numbers(layer: Layer, index: int, source: Blob, shape: Shape) -> torch.Tensor:
    """A blob of the file in the shape of the layer's."""
    if source.shape != shape and source.shape != (1,) * (4 - len(shape)) + shape:  # (1, 1, 1, C) of old files
        raise ShapeError(
            f"{layer.spec}: expected blob {index} of shape {shape}, found {source.shape}; "
            "give the weights that belong to this net"
        )
    return torch.from_numpy(source).reshape(shape)


def _outputs(inputs: dict[str, Shape], steps: Sequence[Step]) -> tuple[str, ...]:
    unread = set(inputs)
    for step in steps:
        unread.difference_update(step.bottoms)
        unread.update(step.tops)
    return tuple(sorted(unread))


def require_blobs(net: Assembly, names: Sequence[str]) -> None:
    """Refuses outputs that the net does not have."""
    for name in names:
        if name not in net.shapes:
            raise GraphError(
                f"{net.path}: no blob '{name}' to give out; outputs: {', '.join(net.outputs)}; "
                f"any other blob may be named, too: {', '.join(list(net.shapes)[-8:])} ..."
            )
