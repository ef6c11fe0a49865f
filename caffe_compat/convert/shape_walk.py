"""Layers set up one after the other, with the shapes that flow between them and no numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

import caffe_compat.layers  # noqa: F401 - registers every type
from caffe_compat.convert.model import Layer as LayerParameter
from caffe_compat.convert.model import Shape
from caffe_compat.errors import GraphError
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.layers.registry import create_layer

#: Types whose top has their first bottom's shape; asking them costs more than all else in a deep net.
KEEPS_SHAPE = frozenset(
    {"BN", "BatchNorm", "Scale", "Bias", "ReLU", "PReLU", "Sigmoid", "TanH", "Dropout", "Eltwise", "Softmax", "LRN"}
)


@dataclass
class ShapeWalk:
    """Goes through a net layer by layer; `shapes` holds every blob's shape so far.

    Weights are made without storage: they take their numbers from a file, or none.
    """

    shapes: dict[str, Shape]
    phase: str = "TEST"
    _known: dict[tuple[object, ...], list[Shape]] = field(default_factory=dict)

    def enter(self, parameter: LayerParameter) -> Layer:
        """Sets the next layer up; GraphError for an unknown bottom, else whatever the layer finds wrong."""
        layer = create_layer(LayerSpec(parameter, self.phase))
        bottoms = self._bottom_shapes(layer)
        with torch.device("meta"):
            layer.setup(*bottoms)
        self.shapes.update(zip(parameter.top, self._top_shapes(layer, bottoms), strict=True))
        return layer

    def _bottom_shapes(self, layer: Layer) -> list[Shape]:
        for bottom in layer.spec.parameter.bottom:
            if bottom not in self.shapes:
                raise GraphError(f"{layer.spec}: unknown bottom blob '{bottom}': no layer before it makes this top")
        return [self.shapes[bottom] for bottom in layer.spec.parameter.bottom]

    def _top_shapes(self, layer: Layer, bottoms: Sequence[Shape]) -> list[Shape]:
        """As the layer says; layers that differ in names only say the same."""
        if layer.spec.type in KEEPS_SHAPE and len(layer.spec.parameter.top) == 1:
            return [bottoms[0]]
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
