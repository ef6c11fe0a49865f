"""Folds normalisation by stored statistics into the convolution before it, if neither layer learns."""

from typing import cast

from torch import Tensor

from caffe_compat.engine.passes.fuse_normalization import is_channel_scale
from caffe_compat.engine.plan import Chains, Operation, Plan, fuse, only_with, replace_chains
from caffe_compat.engine.watched_weights import MadeOfWeights
from caffe_compat.layers.base import Layer
from caffe_compat.layers.normalization.batch_norm import BatchNorm, affine_of, fold_into
from caffe_compat.layers.normalization.bn import BN
from caffe_compat.layers.vision.conv import Convolution


@only_with("BatchNorm", "BN", learning=False)
def fold_normalization(plan: Plan) -> Plan:
    """Replaces chains Convolution, BatchNorm, Scale or Convolution, BN by one convolution with folded weights."""
    chains = Chains(plan)
    fused = []
    for first in plan.operations:
        convolution = first.layer
        if not isinstance(convolution, Convolution) or not _can_be_folded_into(first, convolution):
            continue
        chain = [first, *_normalisation_after(chains, first)]
        if len(chain) > 1:
            folded = FoldedConvolution(convolution, [operation.layer for operation in chain[1:]])
            fused.append((chain, fuse(chain, folded)))
    return replace_chains(plan, fused)


def _can_be_folded_into(operation: Operation, convolution: Convolution) -> bool:
    is_plain = operation.is_a("Convolution") and len(operation.inputs) == 1
    return is_plain and not operation.learns and convolution.channel_axis == 1


def _normalisation_after(chains: Chains, first: Operation) -> list[Operation]:
    norm = chains.next_after(first, "BatchNorm", "BN")
    if norm is None or norm.learns or not _by_stored_statistics(norm.layer):
        return []
    scale = chains.next_after(norm, "Scale")
    if scale is not None and not scale.learns and is_channel_scale(scale):
        return [norm, scale]
    return [norm]


def _by_stored_statistics(layer: Layer) -> bool:
    if isinstance(layer, BatchNorm):
        return layer.uses_global_statistics
    return isinstance(layer, BN) and (layer.is_frozen or layer.phase == "TEST")


class FoldedConvolution:
    """Runs a convolution whose weight and bias include a normalisation."""

    def __init__(self, convolution: Convolution, behind: list[Layer]) -> None:
        self._convolution = convolution
        self._weights = MadeOfWeights([convolution, *behind], lambda: fold(convolution, *behind))

    def __call__(self, bottom: Tensor) -> Tensor:
        return self._convolution.convolve_with(bottom, *self._weights())


def fold(convolution: Layer, norm: Layer, scale: Layer | None = None) -> tuple[Tensor, Tensor]:
    """Returns weight and bias of one convolution equal to convolution, normalisation and Scale."""
    weight, *bias = convolution.blobs
    return fold_into(_affine(norm, scale), weight, bias[0] if bias else None)


def _affine(norm: Layer, scale: Layer | None) -> tuple[Tensor, Tensor]:
    """Returns slope and shift per channel, shape (C,), of a normalisation and the Scale behind it."""
    if isinstance(norm, BatchNorm):
        return affine_of(*norm.stored_statistics(), norm.eps, *(scale.blobs if scale is not None else ()))
    gain, bias, mean, variance = norm.blobs
    eps = cast(BN, norm).eps  # `_by_stored_statistics` lets no third type through
    return affine_of(mean, variance, eps, gain, bias)
