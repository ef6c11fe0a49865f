"""Layers set up one after the other, with the shapes that flow between them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn

import caffe_compat.layers  # noqa: F401 - registers every type
from caffe_compat.convert.model import Layer as LayerParameter
from caffe_compat.convert.model import Shape
from caffe_compat.errors import GraphError
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.registry import create_layer

#: Gives a layer its next blob, of this shape; whether it learns.
MakeBlob = Callable[[Layer, Shape, bool], nn.Parameter]


def without_numbers(layer: Layer, shape: Shape, learnable: bool) -> nn.Parameter:
    """A blob that has a shape and takes no memory."""
    return nn.Parameter(torch.empty(shape, device="meta"), learnable)


@dataclass
class ShapeWalk:
    """Goes through a net layer by layer; `shapes` holds every blob's shape so far.

    `make_blob` gives the layers their weights. What a layer would do itself, filling them by its filler, takes longer
    than all the rest, for numbers that are thrown away.
    """

    shapes: dict[str, Shape]
    phase: str = "TEST"
    make_blob: MakeBlob = without_numbers
    allow_python_layers: bool = False
    _known: dict[tuple[object, ...], list[Shape]] = field(default_factory=dict)

    def enter(self, parameter: LayerParameter) -> Layer:
        """Sets the next layer up; GraphError for an unknown bottom, else whatever the layer finds wrong."""
        layer = create_layer(LayerSpec(parameter, self.phase, allow_python_layers=self.allow_python_layers))
        bottoms = self._bottom_shapes(layer)
        layer.__dict__["add_blob"] = partial(self._add_blob, layer)
        layer.setup(*bottoms)
        del layer.__dict__["add_blob"]
        self.shapes.update(zip(parameter.top, self._top_shapes(layer, bottoms), strict=True))
        return layer

    def _add_blob(self, layer: Layer, shape: Sequence[int], filler: object = None, learnable: bool = True) -> None:
        layer.blobs.append(self.make_blob(layer, tuple(shape), learnable))

    def _bottom_shapes(self, layer: Layer) -> list[Shape]:
        for bottom in layer.spec.parameter.bottom:
            if bottom not in self.shapes:
                raise GraphError(f"{layer.spec}: unknown bottom blob '{bottom}': no layer before it makes this top")
        return [self.shapes[bottom] for bottom in layer.spec.parameter.bottom]

    def _top_shapes(self, layer: Layer, bottoms: Sequence[Shape]) -> list[Shape]:
        """As the layer says; layers that differ in names only say the same."""
        if layer.keeps_shape:
            return layer.top_shapes(*bottoms)
        key = (_without_names(layer.spec.parameter), *bottoms)
        if key not in self._known:
            self._known[key] = layer.top_shapes(*bottoms)
        return self._known[key]


def _without_names(parameter: LayerParameter) -> bytes:
    copy = LayerParameter()
    copy.CopyFrom(parameter)
    copy.name = ""
    copy.bottom[:] = [""] * len(parameter.bottom)
    copy.top[:] = [""] * len(parameter.top)
    return bytes(copy.SerializeToString(deterministic=True))
