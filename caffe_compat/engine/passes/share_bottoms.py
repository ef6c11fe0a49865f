"""Lets 1x1 convolutions that learn share work with the other readers of their bottom.

`_share_strides`: those of one stride read the pixels of that stride. In a residual net, the first convolution of a
stage and the one of its shortcut are such a pair.

`_add_gradients`: in lower precision on a CPU, one adds the gradient of the bottom's other readers within its own
product. There a sum takes five times as long as the memory that it reads and writes: torch turns each number into
float32 and back. A matrix product turns none, because it adds in float32 anyway.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from caffe_compat.engine.plan import Operation, Plan, only_with
from caffe_compat.layers.base import HALF, Tops, is_eager_on_cpu
from caffe_compat.layers.vision.conv import Convolution
from caffe_compat.layers.vision.pixel_products import choose_pixels, multiply_beside_bottom

#: A value and the stride at which it is read.
Reading = tuple[str, tuple[int, ...]]


@only_with("Convolution", learning=True)
def share_bottoms(plan: Plan) -> Plan:
    """Makes such convolutions choose pixels once, and hand their bottom on to those that read it after them."""
    return _add_gradients(_share_strides(plan))


def _pointwise(operation: Operation) -> Convolution | None:
    """The layer of an operation that is a 1x1 convolution of images that learns, else None."""
    layer = operation.layer
    if not (operation.learns and operation.is_a("Convolution") and isinstance(layer, Convolution)):
        return None
    is_such = layer.window.axes == 2 and layer.window.reads_single_places and layer.channel_axis == 1
    return layer if is_such and len(operation.inputs) == 1 else None


def _share_strides(plan: Plan) -> Plan:
    """Adds an operation that chooses the pixels once, for two or more such convolutions that learn.

    The gradient of all other pixels is 0: it is then written once, and nothing is added to it.
    """
    readers: defaultdict[Reading, list[Convolution]] = defaultdict(list)
    for operation in plan.operations:
        if (layer := _strided(operation)) is not None:
            readers[operation.inputs[0], layer.window.stride].append(layer)
    operations: list[Operation] = []
    for operation in plan.operations:
        layer = _strided(operation)
        sharers = [] if layer is None else readers[operation.inputs[0], layer.window.stride]
        if layer is None or len(sharers) < 2:
            operations.append(operation)
            continue
        choice = _choice(operation.inputs[0], sharers)
        if layer is sharers[0]:
            operations.append(choice)
        operations.append(replace(operation, run=layer.convolve_chosen, inputs=choice.outputs))
    return replace(plan, operations=tuple(operations))


def _strided(operation: Operation) -> Convolution | None:
    layer = _pointwise(operation)
    return None if layer is None or layer.window.is_pointwise else layer


def _choice(value: str, sharers: Sequence[Convolution]) -> Operation:
    """The operation that chooses the pixels of a value for layers of one stride."""
    stride = sharers[0].window.stride

    def choose(bottom: Tensor) -> Tensor:
        for layer in sharers:
            layer.require_fit(bottom.shape)
        return choose_pixels(bottom, stride)

    return Operation(tuple(sharers), choose, (value,), (f"{value}/{'x'.join(map(str, stride))}",), learns=True)


def _add_gradients(plan: Plan) -> Plan:
    """Makes such convolutions hand their bottom on to those that read it after them."""
    operations: list[Operation] = []
    handed_on: dict[str, str] = {}
    for index, operation in enumerate(plan.operations):
        renamed = replace(operation, inputs=tuple(handed_on.get(name, name) for name in operation.inputs))
        layer, value = _product(operation), operation.inputs[0] if operation.inputs else ""
        if layer is None or value in handed_on or not _has_gradient_of_others(plan, index):
            operations.append(renamed)
            continue
        handed_on[value] = f"{value}/on"
        operations.append(replace(renamed, run=_with_bottom(layer), outputs=(*operation.outputs, handed_on[value])))
    return replace(plan, operations=tuple(operations))


def _product(operation: Operation) -> Convolution | None:
    layer = _pointwise(operation)
    is_product = layer is not None and layer.window.is_pointwise and layer.groups == 1 and not layer.has_bias
    return layer if is_product else None


def _has_gradient_of_others(plan: Plan, index: int) -> bool:
    """Whether the operation's bottom has a gradient, and operations behind it read the bottom as well."""
    source = plan.wiring.sources[index][0]
    return source is not None and plan.operations[source[0]].learns and plan.wiring.uses[source][-1] > index


def _with_bottom(layer: Convolution) -> Callable[[Tensor], Tops]:
    def convolve(bottom: Tensor) -> Tops:
        layer.require_fit(bottom.shape)
        innermost = bottom.is_contiguous(memory_format=torch.channels_last) and not bottom.is_contiguous()
        if bottom.dtype not in HALF or not innermost or not is_eager_on_cpu(bottom):
            return layer.convolve(bottom), bottom
        return multiply_beside_bottom(bottom, layer.blobs[0].flatten(1).to(bottom.dtype))

    return convolve
