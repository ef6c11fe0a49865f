"""ContinuationIndicator (continuation_indicator_layer.cpp of the CTC forks): sequence markers for LSTM and RNN."""

import torch
from torch import Tensor

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, between
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer


@register_layer("ContinuationIndicator")
class ContinuationIndicator(Layer):
    """Top (time_step, N): 0 in the first row, where every sequence begins, and 1 in all others.

    N is the size of axis `axis` of the bottom, or `batch_size` where there is no bottom.
    """

    known_to = ("CTC forks", "deepdetect")
    meanings = (
        Meaning("the CTC forks", "markers for batch_size items, or for the bottom's axis 0", "no axis"),
        Meaning("deepdetect", "markers for a batch of the bottom's axis", "axis"),
    )
    example = "continuation_indicator_param { time_step: 3 batch_size: 2 }"
    bottoms = between(0, 1)
    tops_have_batch = False
    no_gradient_to = True
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("continuation_indicator_param")
        self.steps: int = params.time_step
        self.axis: int = params.axis
        self.batch: int = params.batch_size
        if not self.steps:
            raise FieldError(f"{spec}: expected time_step above 0, got none")
        if not spec.parameter.bottom and not self.batch:
            raise FieldError(f"{spec}: expected batch_size above 0 where there is no bottom, got none")
        self.register_buffer("_home", torch.empty(0), persistent=False)  # has the device of a layer without bottoms

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        if not bottom_shapes:
            return [(self.steps, self.batch)]
        shape = bottom_shapes[0]
        if not -len(shape) <= self.axis < len(shape):
            raise FieldError(f"{self.spec}: expected an axis of {list(shape)}, got {self.axis}")
        return [(self.steps, shape[self.axis])]

    def forward(self, *bottoms: Tensor) -> Tensor:
        (shape,) = self.top_shapes(*(tuple(bottom.shape) for bottom in bottoms))
        like: Tensor = bottoms[0] if bottoms else self.get_buffer("_home")
        markers = like.new_ones(shape)
        markers[0] = 0
        return markers
