"""What a layer is."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from caffe_compat.errors import ShapeError
from caffe_compat.layers.arity import Arity, at_least, between, exactly
from caffe_compat.layers.blobs import Blobs
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.fillers import fill, require_fit
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.proto import caffe_pb2

__all__ = ["Arity", "Layer", "LayerSpec", "LossLayer", "Reach", "Shape", "Tops", "at_least", "between", "exactly"]

Shape = tuple[int, ...]
Tops = Tensor | tuple[Tensor, ...]


class Reach(NamedTuple):
    """A window along a spatial axis: how many places it spans, and how far it moves from one top place to the next."""

    span: int = 1
    stride: int = 1


class Layer(nn.Module):
    """One Caffe layer: `__init__` reads the prototxt, `setup` makes the weights, `forward` is the mathematics.

    `blobs` holds what a .caffemodel holds for the layer, in Caffe's order. Statistics that no gradient reaches are
    parameters with `requires_grad` False. `forward` must not modify its bottoms, also where the net runs it in place.
    """

    #: The Caffes that have the type, by the names in `caffes.py` or as their users call them. Every class states it.
    known_to: ClassVar[tuple[str, ...]] = ()
    #: What the smallest layer of the type needs besides bottoms and tops, as prototxt. FILES stands for the folder of
    #: `catalogue/examples.py`.
    example: ClassVar[str] = ""
    #: What the blobs are called in a state dict, in Caffe's order; where there are more blobs, numbers name them.
    blob_names: ClassVar[tuple[str, ...]] = ()
    #: What several Caffes mean by the type, where they differ; one entry where all mean the same (docs/forks.md).
    meanings: ClassVar[tuple[Meaning, ...]] = ()
    bottoms: ClassVar[Arity] = exactly(1)
    tops: ClassVar[Arity] = exactly(1)
    #: Bottoms that a gradient may never reach (labels, indices); True for all of them.
    no_gradient_to: frozenset[int] | bool = frozenset()
    #: The members of `no_gradient_to` where Caffe leaves out a gradient that a net forces; for others backward stops.
    leaves_out_gradient_to: ClassVar[frozenset[int]] = frozenset()
    #: Whether top 0 always has the shape of bottom 0. Saves the run on tensors without data.
    keeps_shape: bool = False
    #: Whether top and bottom may be one blob.
    allows_in_place: ClassVar[bool] = True
    #: Loss layers weigh their first top by 1 where the prototxt gives no loss_weight, and get a top if they have none.
    is_loss: ClassVar[bool] = False
    #: Whether the layer only measures what the net predicts (Accuracy): a net that predicts does without.
    measures: ClassVar[bool] = False
    #: Whether the tops are filled from outside and nothing runs (Input).
    is_input: ClassVar[bool] = False
    #: Whether tops jump where bottoms move a little (ArgMax): two runs are then compared on equal bottoms only.
    is_discrete: ClassVar[bool] = False
    #: How tops hold the values of bottoms, each unchanged: "in order" (Reshape), "moved" (Permute), or "" where not.
    hands_on: ClassVar[str] = ""
    #: Whether axis 0 of the tops counts the items of the batch. PriorBox and Parameter have one shape for any batch.
    tops_have_batch: ClassVar[bool] = True
    #: Blobs whose lr_mult and decay_mult are 0 whatever the prototxt says (running statistics).
    fixed_blobs: frozenset[int] = frozenset()
    #: Whether backward computes the gradients of all blobs, also of those with lr_mult 0.
    ignores_lr_mult: ClassVar[bool] = False
    #: Whether an ONNX graph can hold the type: `convert/onnx/table.py` then has an exporter. Data, losses, measures,
    #: side effects and a user's own code cannot be there.
    is_in_onnx: ClassVar[bool] = True
    #: Whether Caffe's backward reads the values of the layer's top: a layer in place behind it changes its gradient.
    caffe_backward_reads_top: ClassVar[bool] = False
    #: Whether the gradient formula uses the values of the tops. Where it does not, a ReLU behind may overwrite them.
    backward_reads_top: ClassVar[bool] = True

    #: The tops for these bottoms.
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
        """The weights and statistics, in Caffe's order; each is an attribute of the layer, too, by its name."""
        return Blobs(self._parameters, self._buffers, self._names, self.blob_names)

    def buffer_statistics(self) -> None:
        """Makes running statistics buffers, as modules of PyTorch's have them."""
        for index, name in enumerate(self._names):
            if index in self.fixed_blobs and name not in ("weight", "bias"):
                self._buffers[name] = self.blobs[index].data
                del self._parameters[name]

    @classmethod
    def variant(cls, _spec: LayerSpec) -> "type[Layer]":
        """The class that runs it, where two Caffes give one type two meanings and the fields tell which."""
        return cls

    def setup(self, *bottom_shapes: Shape) -> None:
        """Makes the weights for these bottoms; most layers have none."""

    def train(self, mode: bool = True) -> Self:
        """Takes on the phase TRAIN, or TEST for `mode` False, as `train` and `eval` of torch's modules do."""
        super().train(mode)
        self.phase = "TRAIN" if self.training else "TEST"
        return self

    def extra_repr(self) -> str:
        """What the prototxt says of the layer, and the shapes of its blobs."""
        messages = [value for field, value in self.spec.parameter.ListFields() if field.name.endswith("_param")]
        shapes = [f"{name} {tuple(blob.shape)}" for name, blob in zip(self._names, self.blobs, strict=True)]
        return ", ".join([*(" ".join(str(message).split()) for message in messages), *shapes])

    def is_pure(self) -> bool:
        """Whether a run at TEST changes nothing but the tops, and another one on equal bottoms gives equal tops."""
        return True

    def whole_numbers(self, *_bottom_shapes: Shape) -> dict[int, int]:
        """The bottoms that hold whole numbers (labels, indices, markers) and, for each, the bound they lie below.

        Whoever makes random inputs for a net fills these bottoms with integers in [0, bound).
        """
        return {}

    def sample_bottoms(self, _random: np.random.Generator, *_bottom_shapes: Shape) -> dict[int, NDArray[np.float64]]:
        """Random values for bottoms that need more than numbers below a bound: regions that lie within the image."""
        return {}

    @classmethod
    def item_for(cls, _parameter: caffe_pb2.LayerParameter, _blob: Shape) -> tuple[int | None, ...] | None:
        """The axes of one item of bottom 0, as the shape of blob 0 in a weights file shows them.

        An axis that the blob leaves open (height, width) is None. The result is None where the blob shows nothing.
        """
        return None

    def connect(self, tops: Sequence[Any]) -> None:
        """Hands over the net's blobs for the tops, for layers whose tops are also written from outside."""

    def forget(self) -> None:
        """Drops what earlier forwards left behind (states of recurrent layers): the next forward is like the first."""

    def state(self) -> dict[str, Any]:
        """What the next forward depends on beside bottoms, blobs and global random states; fits JSON."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from a state."""

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """The shapes that `forward` gives for bottoms of these shapes; ShapeError where the layer does not take them.

        Layers of this package compute them in Python's integers, so that nothing is allocated and no compiler is
        imported. A layer of a user's may leave that to a run on tensors without data.
        """
        if self.keeps_shape:
            return [bottom_shapes[0]]
        bottoms = [torch.empty(shape, device="meta") for shape in bottom_shapes]
        weights = {name: torch.empty(blob.shape, device="meta") for name, blob in self.named_parameters()}
        with torch.no_grad():
            tops = torch.func.functional_call(self, weights, tuple(bottoms))
        return [tuple(top.shape) for top in as_tuple(tops)]

    def multiply_adds(self, bottom_shapes: Sequence[Shape], top_shapes: Sequence[Shape]) -> int:
        """Products with weights that one forward pass sums up; 0 for layers without such sums."""
        return 0

    def reach(self, bottom_sizes: Sequence[int]) -> Reach | None:
        """How many places of a bottom with these spatial sizes one place of the top sees; None for all of them."""
        return Reach()

    def add_blob(
        self, shape: Sequence[int], filler: caffe_pb2.FillerParameter | None = None, learnable: bool = True
    ) -> None:
        """Appends a blob: as `spec.make_blob` gives it, else filled (zeros without a filler)."""
        make, sizes = self.spec.make_blob, tuple(shape)
        self.spec.budget.add_weights(self.spec.parameter, len(self.blobs), sizes)
        given = None if make is None else make(self.spec, len(self.blobs), sizes, learnable)
        blob = nn.Parameter(torch.zeros(sizes), learnable) if given is None else given
        if filler is not None:
            (fill if given is None else require_fit)(blob.data, filler, str(self.spec))
        self.blobs.append(blob)

    def canonical_axis(self, axis: int, axes: int, what: str = "axis") -> int:
        """A prototxt axis, counted from the end where negative, as an index below `axes`."""
        if not -axes <= axis < axes:
            raise ShapeError(f"{self.spec}: expected {what} within [-{axes}, {axes}), got {axis}")
        return axis % axes


class LossLayer(Layer):
    """Compares a prediction (bottom 0) with a label (bottom 1); no gradient reaches the label."""

    bottoms = exactly(2)
    no_gradient_to = frozenset({1})
    is_loss = True
    is_in_onnx = False


def as_tuple(tops: Tops) -> tuple[Tensor, ...]:
    """The tops of a forward as a tuple, also where there is one."""
    return (tops,) if isinstance(tops, Tensor) else tuple(tops)


def channels_of_image(blob: Shape) -> tuple[int | None, ...]:
    """The item (channels, height, width) of a layer whose blob has one value per channel, on its last axis.

    Height and width are None: the blob leaves them open.
    """
    return (blob[-1], None, None)
