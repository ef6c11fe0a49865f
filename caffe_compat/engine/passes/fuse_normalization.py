"""Fuses BatchNorm and the Scale behind it into one normalisation with slope and bias."""

from collections.abc import Callable

from torch import Tensor

from caffe_compat.engine.plan import Chains, Operation, Plan, fuse, only_with, replace_chains
from caffe_compat.layers.activation.scale import Scale
from caffe_compat.layers.normalization.batch_norm import BatchNorm


@only_with("BatchNorm")
def fuse_normalization(plan: Plan) -> Plan:
    """Replaces BatchNorm and Scale over channels by one operation, which reads the data once instead of twice."""
    chains = Chains(plan)
    fused = []
    for norm in plan.operations:
        scale = chains.next_after(norm, "Scale") if norm.is_a("BatchNorm") else None
        if scale is not None and is_channel_scale(scale):
            fused.append(([norm, scale], fuse([norm, scale], _normalisation(norm, scale))))
    return replace_chains(plan, fused)


def is_channel_scale(operation: Operation) -> bool:
    """Whether the operation is a Scale with a learnt slope, and perhaps a bias, per channel."""
    layer = operation.layer
    return isinstance(layer, Scale) and layer.axis in (1, -3) and layer.blobs[0].dim() == 1


def _normalisation(norm: Operation, scale: Operation) -> Callable[[Tensor], Tensor]:
    batch_norm, affine = norm.layer, scale.layer

    def normalise(values: Tensor) -> Tensor:
        if not isinstance(batch_norm, BatchNorm) or values.dim() < 2:
            one_by_one: Tensor = affine(batch_norm(values))
            return one_by_one
        bias = affine.blobs[1] if len(affine.blobs) > 1 else None
        return batch_norm.normalise(values, affine.blobs[0], bias)

    return normalise
