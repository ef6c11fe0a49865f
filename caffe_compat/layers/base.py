"""Base classes of all layers, and the facts that a layer class states about its type.

A layer's blobs are a list in Caffe's order, stored in a module's parameters and buffers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from typing import Any, ClassVar, NamedTuple, Self, cast, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd import forward_ad

from caffe_compat.errors import ShapeError
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.new_blobs import fill, require_fit
from caffe_compat.layers.spec import Arity, LayerSpec, at_least, between, exactly
from caffe_compat.proto import caffe_pb2

__all__ = [
    "HALF", "Arity", "Blobs", "Layer", "LayerSpec", "LossLayer", "Reach", "Shape", "Tops", "add_bias", "as_tuple",
    "at_least", "between", "careful_sums", "channel_sums", "channels_of_image", "computes_in_half", "exactly",
    "index_type", "sums_are_careful",
]  # fmt: skip

Shape = tuple[int, ...]
#: Dtypes with half the bits of float32.
HALF = (torch.bfloat16, torch.float16)
Tops = Tensor | tuple[Tensor, ...]

_CAREFUL: ContextVar[bool] = ContextVar("careful sums", default=False)


class Blobs:
    """A list view of a layer's blobs, which are attributes of the layer under the names of its state dict.

    The list refers to the layer's tables, not to the layer, so that no reference cycle keeps the layer alive. Running
    statistics may be buffers; the list returns them as parameters. So it does with plain tensors that torch's pruning
    and parametrizations make of weights, if it was given the layer's `attributes`. A user of a module may set a bias to
    None, as in PyTorch; the list then holds None, and the layer adds nothing.
    """

    def __init__(
        self,
        parameters: dict[str, nn.Parameter | None],
        buffers: dict[str, Tensor | None],
        names: list[str],
        known: tuple[str, ...] = (),
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        self._parameters = parameters
        self._buffers = buffers
        self._attributes = attributes or {}
        self._names = names
        self._known = known

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> nn.Parameter: ...
    @overload
    def __getitem__(self, index: slice) -> list[nn.Parameter]: ...
    def __getitem__(self, index: int | slice) -> nn.Parameter | list[nn.Parameter]:
        if isinstance(index, slice):
            return [self._of(name) for name in self._names[index]]
        return self._of(self._names[index])

    def __setitem__(self, index: int, blob: nn.Parameter) -> None:
        self._parameters[self._names[index]] = blob

    def __iter__(self) -> Iterator[nn.Parameter]:
        return iter([self._of(name) for name in self._names])

    def append(self, blob: nn.Parameter) -> None:
        """Adds a blob under the next name of the layer's class; with too few names, all blobs get numbers."""
        if self._names and len(self._names) == len(self._known):
            for index, name in enumerate(self._names):
                self._parameters[str(index)] = self._parameters.pop(name)
                self._names[index] = str(index)
        named = len(self._names) < len(self._known)
        self._names.append(self._known[len(self._names)] if named else str(len(self._names)))
        self._parameters[self._names[-1]] = blob

    def _of(self, name: str) -> nn.Parameter:
        for table in (self._parameters, self._buffers, self._attributes):
            if name in table:
                return cast(nn.Parameter, table[name])
        return cast(nn.Parameter, self._attributes["_modules"]["parametrizations"][name]())


class Reach(NamedTuple):
    """What one top place reads of a bottom axis: `span` places; the window of the next starts `stride` further on."""

    span: int = 1
    stride: int = 1


class Layer(nn.Module):
    """A Caffe layer: `__init__` reads the prototxt, `setup` creates the blobs, `forward` computes the tops.

    `blobs` holds what a .caffemodel stores for the layer, in Caffe's order. Statistics that no gradient reaches are
    parameters with `requires_grad` False. `forward` must not modify its bottoms, even where the net runs the layer in
    place.
    """

    #: The Caffes that have the type: names from `caffes.py`, or names that users know. Every class sets this field.
    known_to: ClassVar[tuple[str, ...]] = ()
    #: Prototxt fields of the smallest layer of the type, besides bottoms and tops. FILES stands for the folder made by
    #: `catalogue/examples.py`.
    example: ClassVar[str] = ""
    #: Names of the blobs in a state dict, in Caffe's order; a layer with more blobs than names uses numbers for all.
    blob_names: ClassVar[tuple[str, ...]] = ()
    #: What each Caffe means by the type, for docs/forks.md; a single entry where all Caffes agree.
    meanings: ClassVar[tuple[Meaning, ...]] = ()
    bottoms: ClassVar[Arity] = exactly(1)
    tops: ClassVar[Arity] = exactly(1)
    #: Numbers of the bottoms that no gradient may reach (labels, indices); True means all bottoms.
    no_gradient_to: frozenset[int] | bool = frozenset()
    #: Members of `no_gradient_to` for which Caffe skips a forced gradient; for the other members Caffe stops.
    leaves_out_gradient_to: ClassVar[frozenset[int]] = frozenset()
    #: Whether top 0 always has the shape of bottom 0; `top_shapes` then needs no run on tensors without data.
    keeps_shape: bool = False
    #: Whether a top may be the same blob as the bottom.
    allows_in_place: ClassVar[bool] = True
    #: Whether it is a loss: loss_weight of top 0 defaults to 1, and a layer without tops gets one.
    is_loss: ClassVar[bool] = False
    #: Whether the layer only measures predictions (Accuracy); a net for prediction leaves it out.
    measures: ClassVar[bool] = False
    #: Whether the tops are filled from outside, and `forward` computes nothing (Input).
    is_input: ClassVar[bool] = False
    #: Whether tiny changes of bottoms can make tops jump (ArgMax); comparisons then use equal bottoms for both runs.
    is_discrete: ClassVar[bool] = False
    #: Whether tops hold the bottoms' values unchanged: "in order" (Reshape), "moved" (Permute), or "" if they do not.
    hands_on: ClassVar[str] = ""
    #: Whether axis 0 of the tops is the batch; the tops of PriorBox and Parameter have the same shape for any batch.
    tops_have_batch: ClassVar[bool] = True
    #: Numbers of blobs whose lr_mult and decay_mult are always 0, despite the prototxt (running statistics).
    fixed_blobs: frozenset[int] = frozenset()
    #: Whether backward computes the gradients of all blobs, even of those with lr_mult 0.
    ignores_lr_mult: ClassVar[bool] = False
    #: Whether an ONNX graph can express the type: `convert/onnx/table.py` then has an exporter. Data, losses, measures,
    #: side effects and a user's own code cannot be there.
    is_in_onnx: ClassVar[bool] = True
    #: Whether Caffe's backward reads the top's values; an in-place layer that follows then changes the gradient.
    caffe_backward_reads_top: ClassVar[bool] = False
    #: Whether our gradient reads the tops' values; if it does not, a ReLU that follows may overwrite the tops.
    backward_reads_top: ClassVar[bool] = True

    #: Computes the tops from the bottoms; a layer with one top returns the tensor itself.
    forward: Callable[..., Tops]

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__()
        self._names: list[str] = []
        self.spec = spec
        self.name = spec.name
        self.phase = spec.phase
        self.training = spec.phase == "TRAIN"

    @property
    def blobs(self) -> Blobs:
        """The weights and statistics, in Caffe's order; each is also an attribute of the layer under its blob name."""
        return Blobs(self._parameters, self._buffers, self._names, self.blob_names, self.__dict__)

    @property
    def growth(self) -> float:
        """The largest magnitude of a top in parts of that of the bottoms, at most; infinity where it is not known.

        Sums on the way to a top count like tops, because they may overflow as well.
        """
        return inf

    def buffer_statistics(self) -> None:
        """Turns running statistics from parameters into buffers, as in PyTorch's own modules."""
        for index, name in enumerate(self._names):
            if index in self.fixed_blobs and name not in ("weight", "bias"):
                self._buffers[name] = self.blobs[index].data
                del self._parameters[name]

    @classmethod
    def variant(cls, _spec: LayerSpec) -> "type[Layer]":
        """The class that runs the layer, where two Caffes use the type name for different layers."""
        return cls

    def setup(self, *bottom_shapes: Shape) -> None:
        """Creates the blobs for bottoms of these shapes; most layers have no blobs."""

    def train(self, mode: bool = True) -> Self:
        """Sets the phase to TRAIN, or to TEST if `mode` is False, like `train` and `eval` of torch modules."""
        super().train(mode)
        self.phase = "TRAIN" if self.training else "TEST"
        return self

    def extra_repr(self) -> str:
        """The layer's prototxt parameters and the shapes of its blobs, for torch's `repr`."""
        messages = [value for field, value in self.spec.parameter.ListFields() if field.name.endswith("_param")]
        blobs = zip(self._names, self.blobs, strict=True)
        shapes = [f"{name} {tuple(blob.shape)}" for name, blob in blobs if blob is not None]
        return ", ".join([*(" ".join(str(message).split()) for message in messages), *shapes])

    def is_pure(self) -> bool:
        """Whether a run at TEST has no side effects and equal bottoms always give equal tops."""
        return True

    def whole_numbers(self, *_bottom_shapes: Shape) -> dict[int, int]:
        """Maps the number of each bottom of whole numbers (labels, indices, markers) to its exclusive upper bound.

        Code that makes random inputs for a net fills these bottoms with integers in [0, bound).
        """
        return {}

    def sample_bottoms(self, _random: np.random.Generator, *_bottom_shapes: Shape) -> dict[int, NDArray[np.float64]]:
        """Random values, by bottom number, for bottoms that integers cannot fill: regions must lie within the image."""
        return {}

    @classmethod
    def item_for(cls, _parameter: caffe_pb2.LayerParameter, _blob: Shape) -> tuple[int | None, ...] | None:
        """The shape of one item of bottom 0, derived from the shape of blob 0 in a weights file.

        An axis that the blob does not determine (height, width) is None. The result is None where nothing is
        determined.
        """
        return None

    def connect(self, tops: Sequence[Any]) -> None:
        """Receives the net's top blobs, for layers whose tops are also written from outside."""

    def forget(self) -> None:
        """Drops what earlier forwards left (states of recurrent layers), so that the next forward acts as the first."""

    def state(self) -> dict[str, Any]:
        """JSON-compatible state that the next forward needs, besides bottoms, blobs and global random states."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a `state()`."""

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """The shapes that `forward` gives for bottoms of these shapes; ShapeError for bottoms that do not fit.

        Layers of this package compute the shapes in Python's integers: nothing is allocated, and no compiler is
        imported. A user's layer may inherit the default, which runs `forward` on tensors without data.
        """
        if self.keeps_shape:
            return [bottom_shapes[0]]
        bottoms = [torch.empty(shape, device="meta") for shape in bottom_shapes]
        weights = {name: torch.empty(blob.shape, device="meta") for name, blob in self.named_parameters()}
        with torch.no_grad():
            tops = torch.func.functional_call(self, weights, tuple(bottoms))
        return [tuple(top.shape) for top in as_tuple(tops)]

    def multiply_adds(self, bottom_shapes: Sequence[Shape], top_shapes: Sequence[Shape]) -> int:
        """The number of multiply-adds with weights in one forward pass; 0 for layers without weights."""
        return 0

    def reach(self, bottom_sizes: Sequence[int]) -> Reach | None:
        """How many places of a bottom with these spatial sizes one top place reads; None means all of them."""
        return Reach()

    def add_blob(
        self, shape: Sequence[int], filler: caffe_pb2.FillerParameter | None = None, learnable: bool = True
    ) -> None:
        """Appends a blob: the one from `spec.make_blob`, else a new one filled by `filler` (zeros if None)."""
        make, sizes = self.spec.make_blob, tuple(shape)
        self.spec.budget.add_weights(self.spec.parameter, len(self.blobs), sizes)
        given = None if make is None else make(self.spec, len(self.blobs), sizes, learnable)
        blob = nn.Parameter(torch.zeros(sizes), learnable) if given is None else given
        if filler is not None:
            (fill if given is None else require_fit)(blob.data, filler, str(self.spec))
        self.blobs.append(blob)

    def canonical_axis(self, axis: int, axes: int, what: str = "axis") -> int:
        """Returns a prototxt axis, which may count from the end as a negative number, as an index in [0, axes)."""
        if not -axes <= axis < axes:
            raise ShapeError(f"{self.spec}: expected {what} within [-{axes}, {axes}), got {axis}")
        return axis % axes


class LossLayer(Layer):
    """A loss between a prediction (bottom 0) and a label (bottom 1); no gradient reaches the label."""

    bottoms = exactly(2)
    no_gradient_to = frozenset({1})
    is_loss = True
    is_in_onnx = False


@contextmanager
def careful_sums() -> Iterator[None]:
    """Context manager of the exact engine: sums that cancel in gradients are computed in float64.

    Before a batch normalisation, the bias of a convolution has no effect, so the terms of its gradient cancel. In
    float32 the sum leaves a rounding error that would move the bias by its last bits. Caffe's own error is mostly too
    small for that. The fast engine skips the extra pass over the data that float64 takes.
    """
    token = _CAREFUL.set(True)
    try:
        yield
    finally:
        _CAREFUL.reset(token)


def sums_are_careful() -> bool:
    """Whether `careful_sums` is active."""
    return not torch.compiler.is_compiling() and _CAREFUL.get()


def channel_sums(values: Tensor) -> Tensor:
    """The float64 sums (C,) over all axes of values (N, C, ...) but axis 1."""
    axes = tuple(axis for axis in range(values.dim()) if axis != 1)
    if values.device.type == "cpu" and values.dtype == torch.float32:
        # NumPy converts to float64 while it sums; torch would first store a float64 copy, which takes 4 times as long.
        return torch.from_numpy(np.add.reduce(values.detach().numpy(), axis=axes, dtype=np.float64))
    return values.sum(axes, dtype=torch.float64)


class _AddBias(torch.autograd.Function):
    """top (N, C, ...) + bias (C,), with the gradient of the bias summed in float64."""

    @staticmethod
    def forward(ctx: Any, top: Tensor, bias: Tensor) -> Tensor:
        ctx.mark_dirty(top)
        return top.add_(bias.view(-1, *[1] * (top.dim() - 2)))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        return gradient, channel_sums(gradient).to(gradient.dtype)


def add_bias(top: Tensor, bias: Tensor) -> Tensor:
    """Adds a learnable bias (C,) to top (N, C, ...) and returns the result; `top` is overwritten."""
    sums: Tensor = _AddBias.apply(top, bias)
    return sums


def as_tuple(tops: Tops) -> tuple[Tensor, ...]:
    """The tops of a forward as a tuple, even if there is only one."""
    return (tops,) if isinstance(tops, Tensor) else tuple(tops)


def computes_in_half(bottom: Tensor) -> bool:
    """Whether products of the bottom are computed in half precision: its own, or that of autocast."""
    return bottom.dtype in HALF or torch.is_autocast_enabled(bottom.device.type)


def index_type(values: Tensor) -> torch.dtype:
    """The type for indices into `values`: theirs, or float32, since half precision rounds whole numbers above 256."""
    return torch.float32 if values.dtype in HALF else values.dtype


def require_channels(spec: LayerSpec, bottom: Shape, channels: int) -> None:
    """Raises ShapeError unless a bottom has this many channels on axis 1."""
    if tuple(bottom[1:2]) != (channels,):
        found = bottom[1] if len(bottom) > 1 else f"the shape {list(bottom)}"
        raise ShapeError(f"{spec}: expected {channels} channels on axis 1, got {found}")


def channels_of_image(blob: Shape) -> tuple[int | None, ...]:
    """The item shape (channels, None, None) for a blob whose last axis has one value per channel.

    Height and width are None because the blob does not determine them.
    """
    return (blob[-1], None, None)


def innermost_channels(value: Tensor) -> Tensor:
    """Returns a tensor (N, C, H, W) in channels-last memory; returns tensors of other dimensions unchanged."""
    return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value


def is_transformed() -> bool:
    """Whether torch compiles, or runs a transform of torch.func or forward-mode differentiation.

    A function with a backward of its own then gives way to plain operations, which have every kind of derivative.
    """
    return (
        torch.compiler.is_compiling()
        or torch._C._functorch.maybe_current_level() is not None
        or forward_ad._current_level >= 0
    )


def is_eager_on_cpu(values: Tensor) -> bool:
    """Whether the values and the layout of a tensor may be looked at without a wait, and without a transform to break.

    False while torch compiles, and inside of torch.func's transforms (vmap), where a tensor stands for several.
    """
    return (
        values.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and torch._C._functorch.maybe_current_level() is None
    )


def is_finite(values: Tensor) -> bool:
    """Whether a tensor holds neither NaN nor infinity; on a GPU this waits for the device."""
    values = values.detach()
    # One pass over the values tells it in nearly all cases. Only a sum that overflows leaves it open.
    return bool(values.sum().isfinite()) or bool(values.isfinite().all())
