"""BVLC's BatchNorm."""

import torch
from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.normalization.statistics import normalise_by_batch
from caffe_compat.layers.registry import register_layer


@register_layer("BatchNorm")
class BatchNorm(Layer):
    """(x - mean) / sqrt(variance + eps) for every channel; Scale and Bias are layers of their own.

    Blobs, running statistics all: sum of means (C,), sum of variances (C,), and what to divide them by (1,). Means and
    variances are the batch's, or the blobs' with use_global_stats (by default at TEST).
    """

    fixed_blobs = frozenset({0, 1, 2})

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("batch_norm_param")
        given = params.has("use_global_stats")
        self.uses_global_statistics: bool = params.use_global_stats if given else spec.phase == "TEST"
        self.fraction: float = params.moving_average_fraction
        self.eps: float = params.eps

    def setup(self, *bottom_shapes: Shape) -> None:
        shape = bottom_shapes[0]
        self.channels = 1 if len(shape) == 1 else shape[1]
        for size in (self.channels, self.channels, 1):
            self.add_blob((size,), learnable=False)

    def forward(self, bottom: Tensor) -> Tensor:
        values = bottom[:, None] if bottom.dim() == 1 else bottom
        if values.shape[1] != self.channels:
            raise ShapeError(f"{self.spec}: expected {self.channels} channels on axis 1, got {values.shape[1]}")
        normalise = self._by_stored if self.uses_global_statistics else self._by_batch
        return normalise(values).reshape(bottom.shape)

    def _by_stored(self, values: Tensor) -> Tensor:
        means, variances, factor = self.blobs
        scale = torch.where(factor == 0, 0, 1 / factor)
        return torch.nn.functional.batch_norm(values, means * scale, variances * scale, eps=self.eps)

    def _by_batch(self, values: Tensor) -> Tensor:
        top, mean, variance = normalise_by_batch(values, self.eps)
        count = values.numel() // self.channels
        with torch.no_grad():
            unbiased = variance * (count / max(count - 1, 1))
            for blob, statistic in zip(self.blobs, (mean, unbiased, 1.0), strict=True):
                blob.data.mul_(self.fraction).add_(statistic)
        return top
