"""Folds normalisation by stored statistics into the convolution before it, if neither layer learns."""

from torch import Tensor

from caffe_compat.engine.passes.follow import Chains, fuse, replace_chains
from caffe_compat.engine.passes.fuse_normalization import is_channel_scale
from caffe_compat.engine.passes.made_of_weights import MadeOfWeights
from caffe_compat.engine.plan import Operation, Plan
from caffe_compat.layers.base import Layer
from caffe_compat.layers.normalization.batch_norm import BatchNorm
from caffe_compat.layers.normalization.bn import BN
from caffe_compat.layers.normalization.folding import affine_of, fold_into
from caffe_compat.layers.vision.conv import Convolution


def fold_normalization(plan: Plan) -> Plan:
    """Replaces chains Convolution, BatchNorm, Scale or Convolution, BN by one convolution with folded weights."""
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


class FoldedConvolution:
    """Runs a convolution whose weight and bias include a normalisation."""

    def __init__(self, layers: list[Layer]) -> None:
        self._convolution = layers[0]
        self._weights = MadeOfWeights(layers, lambda: fold(*layers))

    def __call__(self, bottom: Tensor) -> Tensor:
        return self._convolution.convolve_with(bottom, *self._weights())  # type: ignore[operator, no-any-return]


def fold(convolution: Layer, norm: Layer, scale: Layer | None = None) -> tuple[Tensor, Tensor]:
    """Returns weight and bias of one convolution equal to convolution, normalisation and Scale."""
    weight, *bias = convolution.blobs
    return fold_into(_affine(norm, scale), weight, bias[0] if bias else None)


def _affine(norm: Layer, scale: Layer | None) -> tuple[Tensor, Tensor]:
    """Returns slope and shift per channel, shape (C,), of a normalisation and the Scale behind it."""
    if isinstance(norm, BatchNorm):
        return affine_of(*norm.stored_statistics(), norm.eps, *(scale.blobs if scale is not None else ()))
    gain, bias, mean, variance = norm.blobs
    return affine_of(mean, variance, norm.eps, gain, bias)  # type: ignore[arg-type]
