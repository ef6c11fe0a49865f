"""Lets 1x1 convolutions of one stride that read the same value read its pixels of that stride.

In a residual net, the first convolution of a stage and the one of its shortcut are such a pair.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from caffe_compat.engine.plan import Operation, Plan, only_with
from caffe_compat.layers.vision.conv import Convolution
from caffe_compat.layers.vision.pixel_products import choose_pixels

#: A value and the stride at which it is read.
Reading = tuple[str, tuple[int, ...]]


@only_with("Convolution")
def share_strides(plan: Plan) -> Plan:
    """Adds an operation that chooses the pixels once, for two or more such convolutions that learn.

    The gradient of all other pixels is 0: it is then written once, and nothing is added to it.
    """
    readers: defaultdict[Reading, list[Convolution]] = defaultdict(list)
    for operation in plan.operations:
        if (convolution := _strided(operation)) is not None:
            readers[_reading(operation, convolution)].append(convolution)
    operations: list[Operation] = []
    chosen: set[Reading] = set()
    for operation in plan.operations:
        convolution = _strided(operation)
        reading = None if convolution is None else _reading(operation, convolution)
        if convolution is None or reading is None or len(readers[reading]) < 2:
            operations.append(operation)
            continue
        if reading not in chosen:
            chosen.add(reading)
            operations.append(_choice(reading, readers[reading]))
        operations.append(replace(operation, run=convolution.convolve_chosen, inputs=(_name(reading),)))
    return replace(plan, operations=tuple(operations))


def _strided(operation: Operation) -> Convolution | None:
    """The layer of an operation that is such a convolution, else None."""
    layer = operation.layer
    if not (operation.learns and operation.is_a("Convolution") and isinstance(layer, Convolution)):
        return None
    window = layer.window
    is_such = window.axes == 2 and window.reads_single_places and not window.is_pointwise
    return layer if is_such and layer.channel_axis == 1 and len(operation.inputs) == 1 else None


def _reading(operation: Operation, layer: Convolution) -> Reading:
    return operation.inputs[0], layer.window.stride


def _name(reading: Reading) -> str:
    value, stride = reading
    return f"{value}/{'x'.join(map(str, stride))}"


def _choice(reading: Reading, layers: Sequence[Convolution]) -> Operation:
    value, stride = reading

    def choose(bottom: Tensor) -> Tensor:
        for layer in layers:
            layer.require_fit(bottom.shape)
        return choose_pixels(bottom, stride)

    return Operation(tuple(layers), choose, (value,), (_name(reading),), learns=True)
