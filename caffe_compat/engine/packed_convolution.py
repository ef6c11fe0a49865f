"""PackedConvolution: a convolution, the sum and the ReLU behind it, with weights in the order of the kernels.

The kernels are those of oneDNN and MKL, torch's libraries on CPUs, which torch.compile also calls for constant
weights; torch does not document them.

The ReLU of oneDNN makes 0 of a NaN, where Caffe's keeps it. To look for NaN in each value would cost too much, so only
values from outside are looked at (`is_moderate`). Behind them the weights give a bound for each value, which is looked
at again only where its bound is large. So no sum overflows and no NaN arises unseen.
"""

from collections.abc import Callable, Sequence
from functools import cache
from math import inf
from threading import get_ident

import torch
from torch import Tensor, ops

from caffe_compat.engine.passes.fold_normalization import fold
from caffe_compat.engine.plan import Operation
from caffe_compat.engine.watched_weights import ONE_AT_A_TIME, MadeOfWeights, WeightWatch
from caffe_compat.layers.base import Shape, as_tuple, innermost_channels
from caffe_compat.layers.vision.conv import Convolution

KERNELS = ("_convolution_pointwise", "_convolution_pointwise_", "_reorder_convolution_weight")
PRODUCTS = ("_mkl_linear", "_mkl_reorder_linear_weight")
#: Up to this number of pixels a 1x1 convolution runs as a matrix product. oneDNN looks for its kernel in every call,
#: which then counts more than a second pass over the top for the sum and the ReLU (docs/performance.md).
FEW_PIXELS = 400
#: A product is packed for one number of pixels. A net that has changed to another more often keeps to convolution.
MOST_SIZES = 4
#: Values of a larger norm count as strange: layers behind them run one by one, as behind NaN.
MODERATE = 1e10
#: Values with a bound above this are looked at.
LARGE = 1e30
#: Sums with a bound above this may overflow: float32 and bfloat16 end at 3.4e38.
LARGEST = 1e37


def kernels_exist() -> bool:
    """Whether the installed torch has all KERNELS."""
    return torch.backends.mkldnn.is_available() and all(hasattr(ops.mkldnn, name) for name in KERNELS)


@cache
def products_exist() -> bool:
    """Whether the installed torch has all PRODUCTS; builds for other processors than x86-64 lack them."""
    return torch.backends.mkl.is_available() and all(hasattr(ops.mkl, name) for name in PRODUCTS)


def _precision() -> torch.dtype:
    """Returns the dtype of autocast if it is on, else float32."""
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else torch.float32


@cache
def _has_kernels_in(precision: torch.dtype) -> bool:
    if precision == torch.bfloat16:
        return bool(ops.mkldnn._is_mkldnn_bf16_supported())
    return precision == torch.float32


class RunWatch:
    """What the packed convolutions of a plan must know of the present run: precision, changed weights, strange values.

    `kind` is another object after a change of any weight or of the precision. `has_found` tells of NaN and of values so
    large that sums may overflow: from such a value on ReLUs run apart. Threads that run one plan at once find values
    each for itself.
    """

    def __init__(self, runs: Sequence["PackedConvolution"]) -> None:
        self._runs = runs
        self._weights = WeightWatch([layer for run in runs for layer in run.chain[0].layers])
        self.precision = torch.float32
        self.kind = object()
        self._bounded_kind: object = None
        self._threads_that_found: set[int] = set()

    @property
    def has_found(self) -> bool:
        """Whether this thread's run has met NaN or very large values."""
        return bool(self._threads_that_found) and get_ident() in self._threads_that_found

    def find(self) -> None:
        """Notes that this thread's run has met such a value."""
        self._threads_that_found.add(get_ident())

    def start(self) -> None:
        """Begins a run."""
        self._threads_that_found.discard(get_ident())
        self.look()

    def look(self) -> None:
        """Looks for changes since the last look."""
        precision = _precision()
        with ONE_AT_A_TIME:
            if self._weights.has_changed() or precision != self.precision:
                self.kind, self.precision = object(), precision

    def bound_values(self) -> None:
        """Bounds the values of all packed convolutions in their order, if this was not done for the present kind.

        All at once: another thread may look for changes while this one is between two convolutions, and the bound of
        the second must not come from a bound of the first for other weights.
        """
        with ONE_AT_A_TIME:
            if self._bounded_kind is not self.kind:
                for run in self._runs:
                    run.decide_looks()
                self._bounded_kind = self.kind


#: Computes the top of a bottom, both channels-last; the second argument is the sum's other term, if there is one.
Kernel = Callable[..., Tensor]
#: The packed convolutions from which a value comes, each with how many times as large as its top the value may be.
Origins = dict["PackedConvolution", float]


def is_moderate(values: Tensor) -> bool:
    """Whether no value is NaN or larger than MODERATE by magnitude."""
    return bool(torch.linalg.vector_norm(values.detach()) <= MODERATE)


class PackedConvolution:
    """Runs a chain of operations: a convolution, whose weights may be folded, an optional Eltwise SUM and ReLU.

    `sums_in_place` is true if the sum's other term may be overwritten. All packed convolutions of a plan share one
    `watch`. The first one starts it (`starts_watch`), and one behind a layer whose run may write weights looks again
    (`looks_again`). `origins` tells for each input from which packed convolutions it comes. An input without origins
    may hold anything, so its readers look at the values.
    """

    sums_in_place = False
    starts_watch = True
    looks_again = False
    origins: Sequence[Origins] = ({},)

    def __init__(self, chain: list[Operation]) -> None:
        self.chain = chain
        self.watch = RunWatch([self])
        self._layer = next(layer for layer in chain[0].layers if isinstance(layer, Convolution))
        self._behind = [(operation.run, operation.is_a("Eltwise")) for operation in chain[1:]]
        self._unary = "relu" if chain[-1].is_a("ReLU") else None
        window = self._layer.window
        self._window = (window.pad, window.stride, window.dilation, self._layer.groups)
        self._packed: MadeOfWeights[Kernel] | None = None
        self._packed_for: tuple[int, torch.dtype] | None = None
        self._can_be_product = window.is_pointwise and self._layer.groups == 1 and products_exist()
        self._pixels = self._sizes_met = 0
        #: The kind of the last bottoms and the kernel for it: replaced at once, since another thread may run the same
        #: net with bottoms of other sizes.
        self._prepared: tuple[object, Kernel | None] = (None, None)
        self._reach = MadeOfWeights(chain[0].layers, self._measured_reach)
        self._looks_at_bottoms = self._looks_at_top = True
        self._may_overflow = False
        #: No value of the top is larger by magnitude, or the run has found one that is.
        self.bound = MODERATE

    def __call__(self, bottom: Tensor, *term: Tensor) -> Tensor:
        """Returns the top (N, outputs, top height, top width) for a bottom (N, channels, height, width).

        `term`, the other term of the sum, has the top's shape. Runs the operations one by one if the kernels do not
        fit: other devices, dtypes or sizes.
        """
        watch = self.watch
        if self.starts_watch:
            watch.start()
        elif self.looks_again:
            watch.look()
        # A few short questions, since a net asks them hundreds of times in a forward pass.
        others = [(value.dtype, value.is_cpu, value.shape) for value in term]
        kind = (watch.kind, bottom.dtype, bottom.is_cpu, bottom.shape, others)
        prepared = self._prepared
        if kind != prepared[0]:
            watch.bound_values()
            prepared = self._prepared = (kind, self._kernel_for(watch.precision, bottom, *term))
        _, kernel = prepared
        if kernel is None:
            return self._watched(self._one_by_one(bottom, *term))
        if self._may_overflow or (self._looks_at_bottoms and not all(map(is_moderate, (bottom, *term)))):
            watch.find()
        if self._unary and watch.has_found:
            return self._one_by_one(bottom, *term)
        if bottom.dtype != watch.precision:
            bottom = bottom.to(watch.precision)
        top = kernel(innermost_channels(bottom), *term)
        return self._watched(top) if self._looks_at_top else top

    def _watched(self, top: Tensor) -> Tensor:
        """Returns the top; the packed convolutions behind learn whether it holds strange values."""
        if top.device.type == "cpu" and not is_moderate(top):
            self.watch.find()
        return top

    def decide_looks(self) -> None:
        """Bounds the top by the bounds of the inputs and the weights, and decides which values are looked at."""
        inputs = [
            max((run.bound * factor for run, factor in origins.items()), default=MODERATE) for origins in self.origins
        ]
        # A large bound need not come from large values: each of a hundred sums in a row doubles it.
        self._looks_at_bottoms = not all(self.origins) or max(inputs) > LARGE
        if self._looks_at_bottoms:
            inputs = [MODERATE] * len(inputs)
        growth, offset = self._reach()
        bound = max(growth * inputs[0] + offset + sum(inputs[1:]), MODERATE)
        self._may_overflow = not bound < LARGEST  # also where weights are NaN
        self._looks_at_top = bound > LARGE
        self.bound = MODERATE if self._looks_at_top else bound

    def _measured_reach(self) -> tuple[float, float]:
        """Returns the largest sum of the weights' magnitudes for one output, and the largest magnitude of a bias."""
        if not self._layer.blobs[0].is_cpu:
            return inf, inf
        weight, bias = self._folded(torch.float32)
        growth = weight.flatten(1).abs().sum(1).amax()
        return growth.item(), 0.0 if bias is None else bias.abs().amax().item()

    def _kernel_for(self, precision: torch.dtype, bottom: Tensor, *term: Tensor) -> Kernel | None:
        """Returns the kernel for bottoms of these sizes, None where none fits."""
        if not self._fits(precision, bottom, *term):
            return None
        with ONE_AT_A_TIME:
            of_product = self._pixels_of_product(precision, bottom.numel() // bottom.shape[1])
            if self._packed is None or self._packed_for != (of_product, precision):
                self._packed_for = (of_product, precision)
                self._packed = MadeOfWeights(self.chain[0].layers, self._pack_product if of_product else self._pack)
            return self._packed(bottom.shape, precision)

    def _pixels_of_product(self, precision: torch.dtype, pixels: int) -> int:
        """Returns the number of pixels for which a matrix product is packed; 0 where it does not pay."""
        if pixels != self._pixels:
            self._pixels, self._sizes_met = pixels, self._sizes_met + 1
        pays = pixels <= FEW_PIXELS and self._sizes_met <= MOST_SIZES
        return pixels if pays and self._can_be_product and precision == torch.float32 else 0

    def _pack(self, sizes: Shape, precision: torch.dtype) -> Kernel:
        """Returns the convolution with weights packed in `precision`.

        The packed order is the fastest for images of these sizes, and still correct for other sizes.
        """
        weight, bias = self._folded(precision)
        packed = ops.mkldnn._reorder_convolution_weight(weight, *self._window, list(sizes))
        call = (packed, bias, *self._window)
        convolve, add = ops.mkldnn._convolution_pointwise.default, ops.mkldnn._convolution_pointwise_.binary
        unary = self._unary

        def run(bottom: Tensor, *term: Tensor) -> Tensor:
            top: Tensor
            if not term:
                top = convolve(bottom, *call, unary or "none", [], "")
            else:
                top = add(self._addend(term[0], precision), bottom, *call, "add", 1.0, unary, [], None)
            return top

        return run

    def _addend(self, term: Tensor, precision: torch.dtype) -> Tensor:
        """The sum's other term in memory that the sum may overwrite."""
        addend = innermost_channels(term.to(precision))
        return addend.clone() if addend is term and not self.sums_in_place else addend

    def _pack_product(self, sizes: Shape, precision: torch.dtype) -> Kernel:
        """Returns the matrix product with weights packed for images of these sizes."""
        weight, bias = self._folded(precision)
        pixels, unary = sizes[0] * sizes[2] * sizes[3], self._unary
        packed = ops.mkl._mkl_reorder_linear_weight(weight.flatten(1).contiguous(), pixels)
        # Read only for another number of pixels than `pixels`, which never comes: a NaN would show it.
        plain = weight.new_full((1, 1), torch.nan).expand(weight.shape[:2])
        multiply = ops.mkl._mkl_linear.default

        def run(bottom: Tensor, *term: Tensor) -> Tensor:
            top: Tensor = multiply(bottom.permute(0, 2, 3, 1), packed, plain, bias, pixels).permute(0, 3, 1, 2)
            if term:
                top += term[0]
            return top.relu_() if unary else top

        return run

    def _folded(self, precision: torch.dtype) -> tuple[Tensor, Tensor | None]:
        """Returns weight and bias in `precision`, with the normalisation."""
        layers = self.chain[0].layers
        weight, bias = fold(*layers) if len(layers) > 1 else (layers[0].blobs[0].detach(), self._layer.bias_blob())
        # oneDNN reads a bias as if its values lay side by side.
        return weight.to(precision), bias if bias is None else bias.to(precision).contiguous()

    def _fits(self, precision: torch.dtype, bottom: Tensor, *term: Tensor) -> bool:
        layer, sizes = self._layer, bottom.shape[2:]
        if bottom.dim() != 4 or bottom.shape[1] != layer.channels:
            return False
        if layer.window.covers(sizes) or any(layer.window.missing(sizes)) or layer.window.reads_only_padding(sizes):
            return False
        if precision != torch.float32 and layer.window.strides_in_vain(sizes):
            return False  # oneDNN's result would be wrong; the layer has another way
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
        for run, is_sum in self._behind:
            (top,) = as_tuple(run(top, *term) if is_sum else run(top))
        return top
