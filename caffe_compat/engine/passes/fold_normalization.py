"""Normalisation by stored statistics goes into the convolution before it, where neither learns.

y = s (W x + b - m) + t  =  (s W) x + (s (b - m) + t), with s = slope / sqrt(variance + eps).
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from caffe_compat.engine.passes.follow import Chains, fuse, replace_chains
from caffe_compat.engine.passes.fuse_normalization import is_channel_scale
from caffe_compat.engine.plan import Operation, Plan
from caffe_compat.layers.base import Layer
from caffe_compat.layers.normalization.batch_norm import BatchNorm
from caffe_compat.layers.normalization.bn import BN
from caffe_compat.layers.vision.conv import Convolution
from caffe_compat.net.blob import host_writes


def fold_normalization(plan: Plan) -> Plan:
    """Convolution, BatchNorm, Scale, or Convolution, BN, as one convolution with other weights."""
    chains = Chains(plan)
    fused = []
    for convolution in plan.operations:
        chain = _chain(chains, convolution)
        if len(chain) > 1:
            fused.append((chain, fuse(chain, FoldedConvolution([operation.layer for operation in chain]))))
    return replace_chains(plan, fused)


def _chain(chains: Chains, first: Operation) -> list[Operation]:
    chain = [first]
    convolution = first.layer
    if first.learns or not first.is_a("Convolution") or len(first.inputs) != 1:
        return chain
    if not isinstance(convolution, Convolution) or convolution.channel_axis != 1:
        return chain
    norm = chains.next_after(first, "BatchNorm", "BN")
    if norm is None or norm.learns or not _by_stored_statistics(norm.layer):
        return chain
    chain.append(norm)
    scale = chains.next_after(norm, "Scale")
    if scale is not None and not scale.learns and is_channel_scale(scale):
        chain.append(scale)
    return chain


def _by_stored_statistics(layer: Layer) -> bool:
    if isinstance(layer, BatchNorm):
        return layer.uses_global_statistics
    return isinstance(layer, BN) and (layer.is_frozen or layer.phase == "TEST")


@dataclass
class FoldedConvolution:
    """A convolution with a normalisation in its weights, folded again when any of them has changed."""

    layers: list[Layer]
    _versions: tuple[tuple[int, int, int], ...] = ()
    _weights: tuple[Tensor, Tensor] | None = field(default=None, repr=False)

    def __call__(self, bottom: Tensor) -> Tensor:
        convolution = self.layers[0]
        weight, bias = self._folded()
        return convolution.convolve_with(bottom, weight, bias)  # type: ignore[operator, no-any-return]

    def _folded(self) -> tuple[Tensor, Tensor]:
        versions = tuple(
            (blob.data_ptr(), blob._version, host_writes(blob)) for layer in self.layers for blob in layer.blobs
        )
        if self._weights is None or versions != self._versions:
            self._versions = versions
            with torch.no_grad():
                self._weights = fold(*self.layers)
        return self._weights


def fold(convolution: Layer, norm: Layer, scale: Layer | None = None) -> tuple[Tensor, Tensor]:
    """The weight and bias of one convolution that does the work of all."""
    slope, shift = _affine(norm)
    if scale is not None:
        slope = slope * scale.blobs[0]
        shift = shift * scale.blobs[0] + (scale.blobs[1] if len(scale.blobs) > 1 else 0)
    weight = convolution.blobs[0]
    bias = convolution.blobs[1] if len(convolution.blobs) > 1 else torch.zeros_like(shift)
    return weight * slope.view(-1, *[1] * (weight.dim() - 1)), bias * slope + shift


def _affine(norm: Layer) -> tuple[Tensor, Tensor]:
    """Normalisation by stored statistics as slope and shift, one a channel."""
    if isinstance(norm, BatchNorm):
        mean, variance = norm.stored_statistics()
        slope = torch.rsqrt(variance + norm.eps)
        return slope, -mean * slope
    gain, bias, mean, variance = (blob.view(-1) for blob in norm.blobs)
    slope = gain * torch.rsqrt(variance + norm.eps)  # type: ignore[operator]
    return slope, bias - mean * slope
