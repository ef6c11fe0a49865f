"""Lets a 1x1 convolution add the gradient of its bottom's other readers to its own, in lower precision on a CPU.

There a sum takes five times as long as the memory that it reads and writes: torch turns each number into float32 and
back. A matrix product turns none, because it adds in float32 anyway.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from caffe_compat.engine.plan import Operation, Plan, only_with
from caffe_compat.layers.base import HALF, Tops, is_eager_on_cpu
from caffe_compat.layers.vision.conv import Convolution
from caffe_compat.layers.vision.pixel_products import multiply_beside_bottom


@only_with("Convolution")
def add_gradients_in_products(plan: Plan) -> Plan:
    """Makes such convolutions hand their bottom on to those that read it after them."""
    operations: list[Operation] = []
    handed_on: dict[str, str] = {}
    for index, operation in enumerate(plan.operations):
        renamed = replace(operation, inputs=tuple(handed_on.get(name, name) for name in operation.inputs))
        layer, value = _product(operation), operation.inputs[0] if operation.inputs else ""
        if layer is None or value in handed_on or not _is_read_later(plan, index):
            operations.append(renamed)
            continue
        handed_on[value] = f"{value}/on"
        operations.append(replace(renamed, run=_with_bottom(layer), outputs=(*operation.outputs, handed_on[value])))
    return replace(plan, operations=tuple(operations))


def _product(operation: Operation) -> Convolution | None:
    """The layer of an operation that is such a convolution, without a bias; else None."""
    layer = operation.layer
    if not (operation.learns and operation.is_a("Convolution") and isinstance(layer, Convolution)):
        return None
    is_product = layer.window.axes == 2 and layer.window.is_pointwise and layer.groups == 1 and not layer.has_bias
    return layer if is_product and layer.channel_axis == 1 and len(operation.inputs) == 1 else None


def _is_read_later(plan: Plan, index: int) -> bool:
    source = plan.wiring.sources[index][0]
    return source is not None and plan.wiring.uses[source][-1] > index


def _with_bottom(layer: Convolution) -> Callable[[Tensor], Tops]:
    def convolve(bottom: Tensor) -> Tops:
        layer.require_fit(bottom.shape)
        innermost = bottom.is_contiguous(memory_format=torch.channels_last) and not bottom.is_contiguous()
        if bottom.dtype not in HALF or not innermost or not is_eager_on_cpu(bottom):
            return layer.convolve(bottom), bottom
        return multiply_beside_bottom(bottom, layer.blobs[0].flatten(1).to(bottom.dtype))

    return convolve
