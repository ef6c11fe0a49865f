"""BatchNorm of BVLC Caffe (batch_norm_layer.cpp), and the normalisation that BN shares with it."""

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import (
    Layer,
    LayerSpec,
    Shape,
    channel_sums,
    channels_of_image,
    is_eager_on_cpu,
    require_channels,
    sums_are_careful,
)
from caffe_compat.layers.caffes import BVLC, Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.proto import caffe_pb2


def require_eps(spec: LayerSpec, eps: float) -> float:
    """Returns eps; FieldError if eps is negative or NaN, because variance + eps must have a square root."""
    if not eps >= 0:
        raise FieldError(f"{spec}: expected eps of at least 0, got {eps:g}")
    return eps


class _CentreGradient(torch.autograd.Function):
    """Identity on `values`; backward subtracts from the gradient (N, C, ...) each channel's mean (a rounding error)."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gradient,) = gradients
        channels = gradient.shape[1]
        rest = channel_sums(gradient) / (gradient.numel() // channels)
        return gradient - rest.to(gradient.dtype).view(channels, *[1] * (gradient.dim() - 2))


def centre_gradient(values: Tensor) -> Tensor:
    """Returns values (N, C, ...) unchanged; in backward the gradients of each channel sum to zero."""
    same: Tensor = _CentreGradient.apply(values)
    return same


def normalise_by_batch(
    values: Tensor, eps: float, slope: Tensor | None = None, bias: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Values (N, C, ...) normalised per channel, then scaled and shifted.

    Returns the top, and the channels' means and biased variances (C,).
    """
    dtype = torch.promote_types(values.dtype, torch.float32)
    mean = values.new_zeros(values.shape[1], dtype=dtype)  # under vmap, statistics of each batch
    variance = torch.zeros_like(mean)
    # With momentum 1, torch writes the batch's mean and unbiased variance to its running statistics.
    values = centre_gradient(values) if values.requires_grad and sums_are_careful() else values
    slope, bias = (part if part is None else part.to(dtype) for part in (slope, bias))  # torch wants one type for all
    cudnn = torch.backends.cudnn.enabled
    top = _laid_out_gradient(torch.batch_norm(values, slope, bias, mean, variance, True, 1.0, eps, cudnn))
    count = values.numel() // values.shape[1]
    biased = variance * ((count - 1) / count) if count > 1 else torch.zeros_like(variance)
    return top, mean, biased


def normalise_by_stored(
    values: Tensor, mean: Tensor, variance: Tensor, eps: float, slope: Tensor | None = None, bias: Tensor | None = None
) -> Tensor:
    """Values (N, C, ...) normalised with stored means and variances (C,), then scaled and shifted."""
    return _laid_out_gradient(torch.nn.functional.batch_norm(values, mean, variance, slope, bias, eps=eps))


def accumulate(spec: LayerSpec, blobs: Sequence[Tensor], statistics: Sequence[Tensor], kept: float) -> None:
    """Multiplies running statistics by `kept` and adds those of a batch.

    ShapeError under vmap if several batches meet one set of running statistics.
    """
    try:
        with torch.no_grad():
            for blob, statistic in zip(blobs, statistics, strict=True):
                blob.mul_(kept).add_(statistic)
    except RuntimeError as error:
        if torch._C._functorch.maybe_current_level() is None:
            raise
        raise ShapeError(
            f"{spec}: expected running statistics for each batch of vmap, got one set; call eval() first, or give each "
            "its own with torch.func.stack_module_state and functional_call"
        ) from error


def _laid_out_gradient(top: Tensor) -> Tensor:
    """The top unchanged; its gradient gets the same memory layout as the top.

    In torch 2.13 on the CPU, backward of batch normalisation confuses axes if one has size 1 and the gradient's layout
    differs. This happens before a Permute (CRNN: N x C x 1 x W). Code from torch.compile has its own backward and is
    not affected.
    """
    if top.requires_grad and not torch.compiler.is_compiling():
        strides = top.stride()
        top.register_hook(lambda gradient: _laid_out(gradient, strides))
    return top


def _laid_out(gradient: Tensor | None, strides: tuple[int, ...]) -> Tensor | None:
    if gradient is None or gradient.stride() == strides:  # None: no later layer depends on the top
        return gradient
    return gradient.new_empty_strided(gradient.shape, strides).copy_(gradient)


Affine = tuple[Tensor, Tensor]


def affine_of(
    mean: Tensor, variance: Tensor, eps: float, gain: Tensor | None = None, bias: Tensor | None = None
) -> Affine:
    """Slope and shift (C,) in float64, from statistics, gain and bias (C,); None means gain 1 or bias 0."""
    mean, variance = _flat(mean), _flat(variance)
    slope = torch.rsqrt(variance + eps) if gain is None else _flat(gain) * torch.rsqrt(variance + eps)
    shift = -mean * slope if bias is None else _flat(bias) - mean * slope
    return slope, shift


def fold_into(affine: Affine, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """The weight (C, ...) and bias (C,) of a linear layer that includes the affine map which follows it."""
    slope, shift = affine
    folded = weight.double() * slope.view(-1, *[1] * (weight.dim() - 1))
    moved = shift if bias is None else _flat(bias) * slope + shift
    return folded.to(weight.dtype), moved.to(weight.dtype)


def _flat(values: Tensor) -> Tensor:
    return values.reshape(-1).double()


@register_layer("BatchNorm")
class BatchNorm(Layer):
    """Top (x - mean) / sqrt(variance + eps) per channel; slope and bias come from a Scale layer that follows.

    Blobs, all running statistics: sum of means (C,), sum of variances (C,), and their divisor (1,). With
    use_global_stats (the default at TEST) mean and variance come from the blobs, else from the batch.
    """

    known_to = (BVLC,)
    meanings = (
        Meaning(
            "BVLC",
            "normalises; scale and shift are Scale's",
            "no scale_bias, filler, scale_filler or bias_filler",
        ),
        Meaning(
            "NVIDIA",
            "normalises, scales and shifts; blobs 3 and 4 are slope and bias",
            "scale_bias, scale_filler or bias_filler",
            "becomes BatchNorm and Scale",
        ),
        Meaning(
            "Intel",
            "the same",
            "filler, bias_filler or use_weight_bias: true",
            "becomes BatchNorm and Scale; where the text is silent, weights of 5 blobs are an error",
        ),
    )
    blob_names = ("mean_sum", "variance_sum", "factor")
    backward_reads_top = False
    keeps_shape = True

    fixed_blobs = frozenset({0, 1, 2})

    @classmethod
    def item_for(cls, parameter: caffe_pb2.LayerParameter, blob: Shape) -> tuple[int | None, ...] | None:
        return channels_of_image(blob)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("batch_norm_param")
        #: The prototxt's value; None means that the phase decides.
        self.use_global_stats: bool | None = params.use_global_stats if params.has("use_global_stats") else None
        #: Whether `train` leaves the layer in the phase TEST.
        self.is_frozen = False
        self.fraction: float = params.moving_average_fraction
        self.eps: float = require_eps(spec, params.eps)

    def is_pure(self) -> bool:
        return self.uses_global_statistics  # otherwise every run updates the running statistics

    @property
    def uses_global_statistics(self) -> bool:
        """Whether the layer normalises with its blobs rather than with the batch."""
        return self.phase == "TEST" if self.use_global_stats is None else self.use_global_stats

    def train(self, mode: bool = True) -> Self:
        return super().train(mode and not self.is_frozen)

    def setup(self, *bottom_shapes: Shape) -> None:
        shape = bottom_shapes[0]
        if not shape:
            raise ShapeError(f"{self.spec}: expected at least 1 axis, got a single number")
        self.channels = 1 if len(shape) == 1 else shape[1]
        for size in (self.channels, self.channels, 1):
            self.add_blob((size,), learnable=False)

    def forward(self, bottom: Tensor) -> Tensor:
        values = bottom[:, None] if bottom.dim() == 1 else bottom
        return self.normalise(values).reshape(bottom.shape)

    def normalise(self, values: Tensor, slope: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """Values (N, C, ...) normalised; slope and bias (C,) of a Scale that follows may join the same pass."""
        require_channels(self.spec, values.shape, self.channels)
        if self.uses_global_statistics:
            return normalise_by_stored(values, *self.stored_statistics(), self.eps, slope, bias)
        return self._by_batch(values, slope, bias)

    def stored_statistics(self) -> tuple[Tensor, Tensor]:
        """Running means and variances (C,): the sums over their divisor; all zeros if the divisor is 0."""
        means, variances, factor = self.blobs
        if is_eager_on_cpu(factor):
            value = float(factor)  # on a GPU this would wait
            scale: Tensor | float = 1 / value if value else 0.0
        else:
            scale = torch.where(factor == 0, 0, 1 / factor)
        return means * scale, variances * scale

    def _by_batch(self, values: Tensor, slope: Tensor | None, bias: Tensor | None) -> Tensor:
        top, mean, variance = normalise_by_batch(values, self.eps, slope, bias)
        count = values.numel() // self.channels
        # Caffe normalises with the biased variance but accumulates the unbiased one (batch_norm_layer.cpp).
        unbiased = variance * (count / max(count - 1, 1))
        statistics = mean, unbiased, torch.ones_like(self.blobs[2])
        accumulate(self.spec, list(self.blobs), statistics, self.fraction)
        return top
