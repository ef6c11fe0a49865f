"""Packs convolutions that do not learn: stores weights in the kernels' order and includes the sum and ReLU behind.

On a CPU, torch's convolution reorders its weights in every call. A separate sum and ReLU each read and write all
images once more (docs/performance.md has the cost). The kernels are those of oneDNN, which torch uses on CPUs.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, ops

from caffe_compat.engine.passes.channels_last import innermost_channels
from caffe_compat.engine.passes.fold_normalization import FoldedConvolution, fold
from caffe_compat.engine.passes.made_of_weights import MadeOfWeights
from caffe_compat.engine.passes.relu_in_place import is_plain_relu
from caffe_compat.engine.plan import Chains, Operation, Plan, fuse, replace_chains
from caffe_compat.layers.base import Shape, as_tuple
from caffe_compat.layers.utility.eltwise import Eltwise
from caffe_compat.layers.vision.conv import Convolution

#: Kernels of torch.ops.mkldnn that torch.compile also calls for constant weights; torch does not document them.
KERNELS = ("_convolution_pointwise", "_convolution_pointwise_", "_reorder_convolution_weight")


def kernels_exist() -> bool:
    """Whether the installed torch has all KERNELS."""
    exists = torch.backends.mkldnn.is_available()
    return exists and all(hasattr(ops.mkldnn, name) for name in KERNELS)


def _precision() -> torch.dtype:
    """Returns the dtype of autocast if it is on, else float32."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32


@cache
def _has_kernels_in(precision: torch.dtype) -> bool:
    if precision == torch.bfloat16:
        return bool(ops.mkldnn._is_mkldnn_bf16_supported())
    return precision == torch.float32


class PackedConvolution:
    """Runs a chain of operations: a convolution, whose weights may be folded, an optional Eltwise SUM and ReLU.

    `sums_in_place` is true if the sum's other term may be overwritten.
    """

    sums_in_place = False

    def __init__(self, chain: list[Operation]) -> None:
        self.chain = chain
        self._layer = next(layer for layer in chain[0].layers if isinstance(layer, Convolution))
        self._unary = "relu" if chain[-1].is_a("ReLU") else None
        self._weights = MadeOfWeights(chain[0].layers, self._pack)
        window = self._layer.window
        self._window = (window.pad, window.stride, window.dilation, self._layer.groups)

    def __call__(self, bottom: Tensor, *term: Tensor) -> Tensor:
        """Returns the top (N, outputs, top height, top width) for a bottom (N, channels, height, width).

        `term`, the other term of the sum, has the top's shape. Runs the operations one by one if the kernels do not
        fit: other devices, dtypes or sizes.
        """
        if not self._fits(bottom, *term):
            return self._one_by_one(bottom, *term)
        precision = _precision()
        weight, bias = self._weights(bottom.shape, precision)
        call = (innermost_channels(bottom.to(precision)), weight, bias, *self._window)
        if term:
            return self._with_sum(call, term[0])
        top: Tensor = ops.mkldnn._convolution_pointwise(*call, self._unary or "none", [], "")
        return top

    def _with_sum(self, call: tuple[Any, ...], term: Tensor) -> Tensor:
        addend = innermost_channels(term.to(_precision()))
        if addend is term and not self.sums_in_place:
            addend = addend.clone()
        top: Tensor = ops.mkldnn._convolution_pointwise_(addend, *call, "add", 1.0, self._unary, [], None)
        return top

    def _pack(self, sizes: Shape, precision: torch.dtype) -> tuple[Tensor, Tensor | None]:
        layers = self.chain[0].layers
        weight, bias = fold(*layers) if len(layers) > 1 else (layers[0].blobs[0].detach(), self._layer.bias_blob())
        # The order is the fastest for images of these sizes, and still correct for other sizes.
        packed = ops.mkldnn._reorder_convolution_weight(weight.to(precision), *self._window, list(sizes))
        return packed, bias if bias is None else bias.to(precision)

    def _fits(self, bottom: Tensor, *term: Tensor) -> bool:
        layer, sizes, precision = self._layer, bottom.shape[2:], _precision()
        if bottom.dim() != 4 or bottom.shape[1] != layer.channels:
            return False
        if layer.window.covers(sizes) or any(layer.window.missing(sizes)):
            return False
        top_shape = (bottom.shape[0], layer.outputs, *layer.window.convolved(sizes))
        return (
            _has_kernels_in(precision)
            and all(value.device.type == "cpu" for value in (bottom, *term))
            and all(value.dtype in (torch.float32, precision) for value in (bottom, *term))
            and all(size > 0 for size in top_shape)
            and all(value.shape == top_shape for value in term)
        )

    def _one_by_one(self, bottom: Tensor, *term: Tensor) -> Tensor:
        (top,) = as_tuple(self.chain[0].run(bottom))
        for operation in self.chain[1:]:
            others = term if operation.is_a("Eltwise") else ()
            (top,) = as_tuple(operation.run(top, *others))
        return top


def pack_convolutions(plan: Plan) -> Plan:
    """Replaces Convolution, Eltwise SUM, ReLU by one operation; the sum, the ReLU or both may be missing."""
    if not kernels_exist():
        return plan
    packed = replace_chains(plan, [(chain, _as_one(chain)) for chain in _chains(plan)])
    for index, operation in enumerate(packed.operations):
        if isinstance(operation.run, PackedConvolution):
            operation.run.sums_in_place = _may_sum_in_place(packed, index)
    return packed


def _chains(plan: Plan) -> Iterator[list[Operation]]:
    chains = Chains(plan)
    taken: set[int] = set()  # sums already fused: a sum of two convolutions can join only one of them
    for convolution in filter(_can_be_packed, plan.operations):
        chain = [convolution]
        addition = chains.next_after(convolution, "Eltwise", inputs=2)
        if addition is not None and _is_plain_sum(addition) and id(addition) not in taken:
            taken.add(id(addition))
            chain.append(addition)
        rectifier = chains.next_after(chain[-1], "ReLU")
        if rectifier is not None and is_plain_relu(rectifier):
            chain.append(rectifier)
        yield chain


def _can_be_packed(operation: Operation) -> bool:
    layer = operation.layers[0]
    if operation.learns or not isinstance(layer, Convolution) or layer.channel_axis != 1 or layer.window.axes != 2:
        return False
    return isinstance(operation.run, FoldedConvolution) or (
        operation.is_a("Convolution") and len(operation.inputs) == 1
    )


def _is_plain_sum(operation: Operation) -> bool:
    return isinstance(operation.layer, Eltwise) and operation.layer.is_plain_sum


def _as_one(chain: list[Operation]) -> Operation:
    made = {value for operation in chain for value in operation.outputs}
    inputs = tuple(value for operation in chain for value in operation.inputs if value not in made)
    return replace(fuse(chain, PackedConvolution(chain)), inputs=inputs)


def _may_sum_in_place(plan: Plan, index: int) -> bool:
    """Whether the sum may overwrite its other term.

    This needs two conditions: this operation reads the term last, and only packed convolutions make or read the term.
    """
    operation = plan.operations[index]
    if len(operation.inputs) < 2 or operation.inputs[1] in plan.kept or operation.inputs[1] == operation.inputs[0]:
        return False
    term = plan.wiring.sources[index][1]
    if term is None or plan.wiring.uses[term][-1] != index:
        return False
    others = (term[0], *plan.wiring.uses[term])
    return all(isinstance(plan.operations[other].run, PackedConvolution) for other in others)
