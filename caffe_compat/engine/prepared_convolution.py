"""Convolutions that the fast engine prepares once: their weights include a normalisation, or have the kernels' order.

PackedConvolution also runs the sum and the ReLU behind it, in one call of oneDNN, torch's library on CPUs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar, cast

import torch
from numpy.typing import NDArray
from torch import Tensor, ops

from caffe_compat.engine.plan import Operation, innermost_channels
from caffe_compat.layers.base import Layer, Shape, as_tuple, is_finite
from caffe_compat.layers.normalization.batch_norm import BatchNorm, affine_of, fold_into
from caffe_compat.layers.normalization.bn import BN
from caffe_compat.layers.vision.conv import Convolution
from caffe_compat.net.blob import host_writes

T = TypeVar("T")

#: Number of values of a large weight that are compared between calls.
PROBES = 8
#: Weights of up to this many values are compared whole, which takes as long as comparing PROBES values.
COMPARED_WHOLE = 16384
#: Whole numbers as wide as a value of so many bytes, since NumPy has no bfloat16.
WHOLE_NUMBERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}

#: Kernels of torch.ops.mkldnn that torch.compile also calls for constant weights; torch does not document them.
KERNELS = ("_convolution_pointwise", "_convolution_pointwise_", "_reorder_convolution_weight")


class MadeOfWeights(Generic[T]):
    """Caches the result of a function of some layers' blobs, and computes it again when a blob has changed.

    A call passes its arguments to the function. If only the arguments change, the cached result is returned.
    """

    def __init__(self, layers: Sequence[Layer], make: Callable[..., T]) -> None:
        self._layers = layers
        self._make = make
        self._watched: list[_Watched] = []
        self._made: tuple[list[object], T] | None = None

    def __call__(self, *arguments: Any) -> T:
        marks = self._marks()
        if self._made is None or self._made[0] != marks:
            with torch.no_grad():
                self._made = marks, self._make(*arguments)
        return self._made[1]

    def _marks(self) -> list[object]:
        blobs = [blob for layer in self._layers for blob in layer.blobs]
        watched = self._watched
        if len(watched) != len(blobs) or not all(map(_Watched.is_of, watched, blobs)):
            watched = self._watched = [_Watched(blob) for blob in blobs]
        return [one.mark() for one in watched]


class _Watched:
    """A blob with a view of its values, which is made once because a forward reads hundreds of them.

    Torch does not count writes through `.data`: the values reveal each of them in a weight of at most COMPARED_WHOLE
    values, and most in a larger one, where changes of single elements may be missed. Torch's own compiled and frozen
    modules miss them too.
    """

    def __init__(self, blob: Tensor) -> None:
        self._blob = blob
        self._address = blob.data_ptr()
        self._values = _probe(blob)

    def is_of(self, blob: Tensor) -> bool:
        """Whether the view still shows this blob's memory."""
        return self._blob is blob and self._address == blob.data_ptr()

    def mark(self) -> object:
        """Returns a mark that differs after a change of the blob: its address, counts of writes, and values."""
        blob, values = self._blob, self._values
        version = 0 if blob.is_inference() else blob._version
        return (self._address, version, host_writes(blob), None if values is None else values.tobytes())


def _probe(blob: Tensor) -> NDArray[Any] | None:
    """Returns a view of the blob's memory; for a large blob, of PROBES values spread over it.

    Returns None on a GPU, where reading would wait for the device.
    """
    count = blob.numel()
    if blob.device.type != "cpu" or not count:
        return None
    is_small = count <= COMPARED_WHOLE
    size, stride = (count, 1) if is_small else (PROBES, (count - 1) // (PROBES - 1))
    view: NDArray[Any] = blob.detach().as_strided((size,), (stride,)).view(WHOLE_NUMBERS[blob.itemsize]).numpy()
    return view


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


@dataclass
class NumberWatch:
    """Tells the packed convolutions of a plan whether NaN or infinite values are on their way in the present run.

    The ReLU of oneDNN makes 0 of a NaN, where Caffe's keeps it: from such a value on, ReLUs run apart.
    """

    has_found: bool = False


class PackedConvolution:
    """Runs a chain of operations: a convolution, whose weights may be folded, an optional Eltwise SUM and ReLU.

    `sums_in_place` is true if the sum's other term may be overwritten. All packed convolutions of a plan share one
    `watch`. The first one resets it (`starts_watch`). Bottoms that no packed convolution has made may bring NaN, so
    their readers look at the values (`looks_at_bottoms`).
    """

    sums_in_place = False
    starts_watch = True
    looks_at_bottoms = True

    def __init__(self, chain: list[Operation]) -> None:
        self.chain = chain
        self._layer = next(layer for layer in chain[0].layers if isinstance(layer, Convolution))
        self._unary = "relu" if chain[-1].is_a("ReLU") else None
        self._weights = MadeOfWeights(chain[0].layers, self._pack)
        window = self._layer.window
        self._window = (window.pad, window.stride, window.dilation, self._layer.groups)
        self._last_that_fit: object = None
        self.watch = NumberWatch()

    def __call__(self, bottom: Tensor, *term: Tensor) -> Tensor:
        """Returns the top (N, outputs, top height, top width) for a bottom (N, channels, height, width).

        `term`, the other term of the sum, has the top's shape. Runs the operations one by one if the kernels do not
        fit: other devices, dtypes or sizes.
        """
        if self.starts_watch:
            self.watch.has_found = False
        precision = _precision()
        kind = (precision, *((value.shape, value.dtype, value.device) for value in (bottom, *term)))
        if kind != self._last_that_fit:
            if not self._fits(precision, bottom, *term):
                return self._watched(self._one_by_one(bottom, *term))
            self._last_that_fit = kind
        weight, bias, are_finite = self._weights(bottom.shape, precision)
        if not are_finite or (self.looks_at_bottoms and not all(map(is_finite, (bottom, *term)))):
            self.watch.has_found = True
        if self.watch.has_found and self._unary:
            return self._one_by_one(bottom, *term)
        call = (innermost_channels(bottom.to(precision)), weight, bias, *self._window)
        if term:
            return self._with_sum(call, term[0])
        top: Tensor = ops.mkldnn._convolution_pointwise(*call, self._unary or "none", [], "")
        return top

    def _watched(self, top: Tensor) -> Tensor:
        """The top of layers that ran one by one; the packed convolutions behind learn whether it holds NaN."""
        if top.device.type == "cpu" and not is_finite(top):
            self.watch.has_found = True
        return top

    def _with_sum(self, call: tuple[Any, ...], term: Tensor) -> Tensor:
        addend = innermost_channels(term.to(_precision()))
        if addend is term and not self.sums_in_place:
            addend = addend.clone()
        top: Tensor = ops.mkldnn._convolution_pointwise_(addend, *call, "add", 1.0, self._unary, [], None)
        return top

    def _pack(self, sizes: Shape, precision: torch.dtype) -> tuple[Tensor, Tensor | None, bool]:
        """Returns weight and bias for the kernel, and whether all of their values are finite."""
        layers = self.chain[0].layers
        weight, bias = fold(*layers) if len(layers) > 1 else (layers[0].blobs[0].detach(), self._layer.bias_blob())
        # The order is the fastest for images of these sizes, and still correct for other sizes.
        packed = ops.mkldnn._reorder_convolution_weight(weight.to(precision), *self._window, list(sizes))
        are_finite = is_finite(weight) and (bias is None or is_finite(bias))
        return packed, bias if bias is None else bias.to(precision), are_finite

    def _fits(self, precision: torch.dtype, bottom: Tensor, *term: Tensor) -> bool:
        layer, sizes = self._layer, bottom.shape[2:]
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
