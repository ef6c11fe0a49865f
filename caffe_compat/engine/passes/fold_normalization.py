"""Folds normalisation by stored statistics into the convolution before it, if neither layer learns."""

from caffe_compat.engine.folded_convolution import FoldedConvolution
from caffe_compat.engine.passes.fuse_normalization import is_channel_scale
from caffe_compat.engine.plan import Chains, Operation, Plan, fuse, only_with, replace_chains
from caffe_compat.layers.base import Layer
from caffe_compat.layers.normalization.batch_norm import BatchNorm
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
