"""Images with their channels innermost, which convolutions and normalisations read faster.

Measured on two CPU cores with a 26-layer ResNet (benchmarks/results): a training step takes 0.6 of the time.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from caffe_compat.engine.plan import Plan
from caffe_compat.layers.base import Tops, as_tuple
from caffe_compat.layers.vision.base_conv import BaseConvolution
from caffe_compat.net.net import Net
from caffe_compat.net.shared_params import is_tied


def channels_last(plan: Plan) -> Plan:
    """Lays images out as they come from their sources; shapes stay."""
    return replace(
        plan,
        operations=tuple(
            operation if operation.inputs else replace(operation, run=_laid_out(operation.run))
            for operation in plan.operations
        ),
    )


def lay_out_weights(net: Net) -> None:
    """Lays the weights of convolutions out, once: before an updater makes histories of the same layout."""
    for step in net.steps:
        if isinstance(step.layer, BaseConvolution):
            lay_out(step.layer.blobs[0])


def lay_out(weight: torch.nn.Parameter) -> None:
    """Moves a weight (and its gradient) into the layout; its values and shape stay."""
    if weight.dim() == 4 and not is_tied(weight):
        weight.data = innermost_channels(weight.data)
        if weight.grad is not None:
            weight.grad = innermost_channels(weight.grad)


def innermost_channels(value: Tensor) -> Tensor:
    """(N, C, H, W) in the layout; anything else as it is."""
    return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value


def _laid_out(run: Callable[..., Tops]) -> Callable[..., Tops]:
    def source() -> Tops:
        return tuple(innermost_channels(top) for top in as_tuple(run()))

    return source
