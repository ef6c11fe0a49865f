"""Caffe's InnerProduct."""

import math
from collections.abc import Sequence

from torch import Tensor
from torch.nn.functional import linear

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Reach, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.windows import require_positive
from caffe_compat.proto import caffe_pb2


@register_layer("InnerProduct")
class InnerProduct(Layer):
    """Top W x + b for every item; axes before `axis` count items, and the axes from `axis` on form the vector x.

    Blobs: weight (outputs, inputs), or (inputs, outputs) with `transpose`; bias (outputs,).
    """

    known_to = BVLC_AND_SRN
    example = "inner_product_param { num_output: 1 }"
    blob_names = ("weight", "bias")
    backward_reads_top = False

    @classmethod
    def item_for(cls, parameter: caffe_pb2.LayerParameter, blob: Shape) -> tuple[int | None, ...] | None:
        return (blob[0] if parameter.inner_product_param.transpose else blob[1],)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("inner_product_param")
        self.outputs = params.num_output
        require_positive(spec, "num_output", [self.outputs])
        self.axis = params.axis
        self.transpose = params.transpose
        self.has_bias = params.bias_term
        self.weight_filler = params.weight_filler
        self.bias_filler = params.bias_filler

    def setup(self, *bottom_shapes: Shape) -> None:
        shape = bottom_shapes[0]
        self.inputs = math.prod(shape[self.canonical_axis(self.axis, len(shape)) :])
        weight = (self.inputs, self.outputs) if self.transpose else (self.outputs, self.inputs)
        self.add_blob(weight, self.weight_filler)
        if self.has_bias:
            self.add_blob((self.outputs,), self.bias_filler)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        return [(*self._outer(bottom_shapes[0]), self.outputs)]

    def multiply_adds(self, bottom_shapes: Sequence[Shape], top_shapes: Sequence[Shape]) -> int:
        return self.inputs * math.prod(top_shapes[0])

    def reach(self, bottom_sizes: Sequence[int]) -> Reach | None:
        return None

    def _outer(self, shape: Shape) -> Shape:
        """The sizes of the axes before `axis`, which the top keeps."""
        axis = self.canonical_axis(self.axis, len(shape))
        inner = math.prod(shape[axis:])
        if inner != self.inputs:
            raise ShapeError(f"{self.spec}: expected {self.inputs} inputs from axis {axis} on, got {inner}")
        return tuple(shape[:axis])

    def bias_blob(self) -> Tensor | None:
        """The bias (outputs,), or None without one."""
        return self.blobs[1] if self.has_bias else None

    def forward(self, bottom: Tensor) -> Tensor:
        weight = self.blobs[0].t() if self.transpose else self.blobs[0]
        return linear(bottom.reshape(*self._outer(bottom.shape), self.inputs), weight, self.bias_blob())
