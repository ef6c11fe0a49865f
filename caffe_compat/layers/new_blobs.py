"""New blobs: their shapes and old names, the memory that a net may take, and the fillers of new weights."""

import math
import operator
import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from google.protobuf.message import Message
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.proto import caffe_pb2

Filler = caffe_pb2.FillerParameter

#: Largest number of values in a blob: Caffe counts them in a C++ int (Blob::Reshape).
MOST_VALUES = 2**31 - 1
BYTES_PER_VALUE = 4
#: Environment variable that replaces the machine's memory as the limit: `CAFFE_COMPAT_MEMORY_LIMIT=24G`.
VARIABLE = "CAFFE_COMPAT_MEMORY_LIMIT"
#: Words of torch's allocators, on CPUs and on GPUs, and of an address that overflows.
_ALLOCATORS = re.compile(r"can't allocate memory|not enough memory|out of memory|Storage size calculation overflowed")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


class MemoryBudget:
    """Refuses blobs with a size of 0, with too many values, or with more memory than the limit.

    `limit` is in bytes. Weights of the whole net add up; each top is checked by itself beside the weights.
    """

    def __init__(self, limit: float | None = None) -> None:
        self._limit = memory_limit() if limit is None else limit
        self._weights = 0

    def add_weights(self, layer: caffe_pb2.LayerParameter, index: int, shape: Sequence[int]) -> None:
        """Counts a weight blob; ShapeError names the layer and the field that makes the blob too large."""
        self._weights += self._bytes(layer, f"blob {index}", shape)
        self._require_room(layer, f"blob {index}", shape, self._weights)

    def check_top(self, layer: caffe_pb2.LayerParameter, top: str, shape: Sequence[int]) -> None:
        """Raises ShapeError for a top that does not fit into memory beside the weights counted so far."""
        self.check(layer, f"top '{top}'", shape)

    def check(self, layer: caffe_pb2.LayerParameter, what: str, shape: Sequence[int]) -> None:
        """`check_top` for another array of the layer; `what` names it in the message."""
        self._require_room(layer, what, shape, self._weights + self._bytes(layer, what, shape))

    def _bytes(self, layer: caffe_pb2.LayerParameter, what: str, shape: Sequence[int]) -> int:
        if any(size < 1 for size in shape):
            raise ShapeError(f"{_name(layer)}: expected sizes above 0 for {what}, got {_shown(shape)}")
        values = math.prod(shape)
        if values > MOST_VALUES:
            raise ShapeError(
                f"{_name(layer)}: {what} would have {_shown(shape)} = {values} values; a blob of Caffe holds at most "
                f"{MOST_VALUES}{_largest_field(layer)}"
            )
        return values * BYTES_PER_VALUE

    def _require_room(self, layer: caffe_pb2.LayerParameter, what: str, shape: Sequence[int], needed: int) -> None:
        if needed > self._limit:
            raise ShapeError(
                f"{_name(layer)}: with {what} of shape {_shown(shape)} the net needs {needed / 2**30:.1f} GiB, more "
                f"than the limit of {self._limit / 2**30:.1f} GiB ({VARIABLE} sets another){_largest_field(layer)}"
            )


def memory_limit() -> int:
    """The limit in bytes: the value of the environment variable, else the memory of this machine."""
    text = os.environ.get(VARIABLE, "").strip().upper()
    if not text:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    found = re.fullmatch(r"(\d{1,15})\s*([KMGT]?)(?:I?B)?", text)
    if not found:
        raise FieldError(f"{VARIABLE}: expected a number of bytes such as 8000000000, 500M or 24G, got '{text[:40]}'")
    return int(found[1]) * _UNITS[found[2]]


def refuse_lack_of_memory(error: RuntimeError, layer: caffe_pb2.LayerParameter) -> None:
    """Raises ShapeError that names the layer if running it ended with an error of torch's allocator; else does nothing.

    Call it in an `except` block: then a layer that succeeds costs nothing.
    """
    if _ALLOCATORS.search(str(error)):
        raise ShapeError(
            f"{_name(layer)}: not enough memory to run the layer{_largest_field(layer)}; lower batch_size (and raise "
            "iter_size), or the sizes of the layer"
        ) from error


def _name(layer: caffe_pb2.LayerParameter) -> str:
    return f"layer '{layer.name}' ({layer.type})"


def _shown(shape: Sequence[int]) -> str:
    """The sizes joined for a message; a long list is shortened."""
    sizes = [str(size) for size in shape]
    return "x".join([*sizes[:8], *(["..."] if len(sizes) > 8 else [])]) or "a single number"


def _largest_field(layer: caffe_pb2.LayerParameter) -> str:
    """Words for a message: the largest whole number among the layer's fields, the most likely cause."""
    numbers = [
        (value, name)
        for field, message in layer.ListFields()
        if field.name.endswith("_param")
        for name, value in _whole_numbers(field.name, message)
    ]
    if not numbers:
        return ""
    value, name = max(numbers)
    return f"; its largest number is {name}: {value}"


def _whole_numbers(path: str, message: Message) -> Iterator[tuple[str, int]]:
    for field, value in message.ListFields():
        values = [value] if isinstance(value, int | float | str | bytes | Message) else list(value)
        for entry in values:
            name = f"{path}.{field.name}"
            if isinstance(entry, Message):
                yield from _whole_numbers(name, entry)
            elif isinstance(entry, int) and field.enum_type is None:
                yield name, entry


class SizeError(ShapeError, TypeError):
    """A size is not a whole number; also a TypeError, which pycaffe raises."""


def whole_sizes(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """The sizes as ints, one per axis; SizeError for floats such as 4.0. NumPy integers are accepted."""
    try:
        whole = tuple(operator.index(size) for size in sizes)
    except TypeError as error:
        raise SizeError(
            f"expected one whole number an axis, as in reshape(1, 3, 224, 224), got {sizes}; write reshape(*shape), "
            "and // for a division"
        ) from error
    if any(size < 0 for size in whole):
        raise ShapeError(f"expected sizes of at least 0, got {whole}")
    if math.prod(whole) > MOST_VALUES:
        raise ShapeError(f"expected at most {MOST_VALUES} values, as in Caffe, got {whole}")
    return whole


class LegacyShape:
    """Base of all kinds of blob: shape, count, and the old names num, channels, height and width of up to 4 axes."""

    @property
    def shape(self) -> tuple[int, ...]:
        raise NotImplementedError

    @property
    def count(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def _legacy(self, axis: int) -> int:
        if len(self.shape) > 4:
            raise ShapeError(f"cannot use legacy accessors (num, channels, height, width) on {len(self.shape)} axes")
        return self.shape[axis] if axis < len(self.shape) else 1

    num = property(lambda self: self._legacy(0), doc="Size of axis 0; 1 if the blob has no such axis.")
    channels = property(lambda self: self._legacy(1), doc="Size of axis 1; 1 if the blob has no such axis.")
    height = property(lambda self: self._legacy(2), doc="Size of axis 2; 1 if the blob has no such axis.")
    width = property(lambda self: self._legacy(3), doc="Size of axis 3; 1 if the blob has no such axis.")


def constant(blob: Tensor, filler: Filler) -> None:
    """Sets every element to `value`."""
    blob.fill_(filler.value)


def uniform(blob: Tensor, filler: Filler) -> None:
    """Draws every element from U[min, max]."""
    blob.uniform_(filler.min, filler.max)


def gaussian(blob: Tensor, filler: Filler) -> None:
    """Draws from the normal distribution N(mean, std); `sparse` s keeps an element with probability s / shape[0]."""
    blob.normal_(filler.mean, filler.std)
    if filler.sparse >= 0:
        blob.mul_(torch.empty_like(blob).bernoulli_(filler.sparse / blob.shape[:1].numel()))


def xavier(blob: Tensor, filler: Filler) -> None:
    """Draws from U[-a, a] with a = sqrt(3 / fan); see `fan`."""
    scale = math.sqrt(3.0 / fan(blob, filler))
    blob.uniform_(-scale, scale)


def msra(blob: Tensor, filler: Filler) -> None:
    """Draws from the normal distribution with mean 0 and standard deviation sqrt(2 / fan); see `fan`."""
    blob.normal_(0.0, math.sqrt(2.0 / fan(blob, filler)))


def positive_unitball(blob: Tensor, filler: Filler) -> None:
    """Draws from U[0, 1], then divides the weights of each output by their sum."""
    rows = blob.view(blob.shape[:1].numel(), -1)
    rows.uniform_(0.0, 1.0)
    rows.div_(rows.sum(dim=1, keepdim=True))


def bilinear(blob: Tensor, filler: Filler) -> None:
    """Sets each k x k kernel of (.., .., k, k) to the weights of bilinear upsampling, for Deconvolution."""
    size = blob.shape[3]
    factor = math.ceil(size / 2.0)
    centre = (size - 1) / (2.0 * factor)
    line = 1 - (torch.arange(size) / factor - centre).abs()
    blob.copy_(line[:, None] * line[None, :])


def fan(blob: Tensor, filler: Filler) -> float:
    """The number of inputs, of outputs, or their mean, per `variance_norm`; xavier and msra divide by it."""
    fan_in = blob.numel() / blob.shape[:1].numel()
    fan_out = blob.numel() / blob.shape[1] if blob.dim() > 1 else blob.numel()
    by_norm = {Filler.FAN_IN: fan_in, Filler.FAN_OUT: fan_out, Filler.AVERAGE: (fan_in + fan_out) / 2.0}
    return by_norm[filler.variance_norm]


FILLERS: dict[str, Callable[[Tensor, Filler], None]] = {
    "constant": constant,
    "uniform": uniform,
    "gaussian": gaussian,
    "xavier": xavier,
    "msra": msra,
    "positive_unitball": positive_unitball,
    "bilinear": bilinear,
}


def fill(blob: Tensor, filler: Filler, owner: str) -> None:
    """Fills a blob in place; FieldError or ShapeError, beginning with `owner`, where the filler does not fit."""
    require_fit(blob, filler, owner)
    with torch.no_grad():
        FILLERS[filler.type](blob, filler)


def require_fit(blob: Tensor, filler: Filler, owner: str) -> None:
    """Raises FieldError or ShapeError, beginning with `owner`, where the filler does not fit the blob."""
    if filler.type not in FILLERS:
        raise FieldError(f"{owner}: no filler of type '{filler.type}'; known: {', '.join(FILLERS)}")
    _require_numbers(filler, owner)
    if filler.sparse != -1 and filler.type != "gaussian":
        raise FieldError(f"{owner}: sparse is only for gaussian fillers, not for '{filler.type}'")
    outputs = blob.shape[:1].numel()
    if not -1 <= filler.sparse <= outputs:
        raise FieldError(f"{owner}: expected sparse of at most {outputs} (the outputs), got {filler.sparse}")
    if filler.type == "bilinear" and (blob.dim() != 4 or blob.shape[2] != blob.shape[3]):
        raise ShapeError(f"{owner}: expected square kernels of 4 axes for the bilinear filler, got {tuple(blob.shape)}")


def _require_numbers(filler: Filler, owner: str) -> None:
    """Raises FieldError for parameters that no distribution has (CHECK_GT and CHECK_LE of math_functions.cpp)."""
    for name in ("value", "min", "max", "mean", "std"):
        number: float = getattr(filler, name)
        if not math.isfinite(number):
            raise FieldError(f"{owner}: expected a finite {name} for the {filler.type} filler, got {number:g}")
    if filler.type == "gaussian" and filler.std < 0:
        raise FieldError(f"{owner}: expected std of at least 0 for the gaussian filler, got {filler.std:g}")
    if filler.type == "uniform" and filler.max < filler.min:
        raise FieldError(
            f"{owner}: expected max of at least min for the uniform filler, got {filler.max:g} below {filler.min:g}"
        )
