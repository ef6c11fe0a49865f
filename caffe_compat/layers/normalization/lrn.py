"""Caffe's LRN (local response normalisation)."""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, local_response_norm

from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.windows import require_four_axes


@register_layer("LRN")
class LRN(Layer):
    """Top x / (k + alpha * mean of x^2 over local_size neighbours) ^ beta.

    Neighbours are channels. With WITHIN_CHANNEL they are a square of places, and k is replaced by 1. Neighbours outside
    the blob count as zeros.
    """

    known_to = BVLC_AND_SRN
    caffe_backward_reads_top = True

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("lrn_param")
        params.ignore("engine")  # selects a kernel; results are the same
        self.size: int = params.local_size
        self.alpha: float = params.alpha
        self.beta: float = params.beta
        self.k: float = params.k
        self.is_across_channels: bool = params.norm_region == "ACROSS_CHANNELS"
        if self.size % 2 == 0:
            raise FieldError(f"{spec}: expected an odd local_size, got {self.size}")

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        require_four_axes(self.spec, bottom_shapes[0])
        return [bottom_shapes[0]]

    def forward(self, bottom: Tensor) -> Tensor:
        self.top_shapes(bottom.shape)
        # In half precision, squares of values above 255 overflow, and torch lacks the sum over channels on the CPU.
        values = bottom.to(torch.promote_types(bottom.dtype, torch.float32))
        if self.is_across_channels:
            return local_response_norm(values, self.size, self.alpha, self.beta, self.k).to(bottom.dtype)
        energy = avg_pool2d(values.square(), self.size, stride=1, padding=self.size // 2)
        return (values * (1 + self.alpha * energy).pow(-self.beta)).to(bottom.dtype)
