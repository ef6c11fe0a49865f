"""Base of LSTM and RNN: the loop over time, equal to Caffe's unrolled net (recurrent_layer.cpp)."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import linear

from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, Tops, at_least
from caffe_compat.layers.windows import require_positive

States = tuple[Tensor, ...]


class Recurrent(Layer):
    """Bottoms: x (T, N, ...), cont (T, N), which is 0 where a sequence begins; optionally a static input (N, ...).

    With expose_hidden, the first states (1, N, D) are further bottoms and the last states are further tops; as in
    Caffe, no gradient passes through them. Without expose_hidden, a batch starts with the last states of the batch
    before.

    Blobs: W_x (gates * D, inputs), b (gates * D,), W_static (gates * D, static inputs) if there is a static input, W_h
    (gates * D, D).
    """

    bottoms = at_least(2)
    tops = at_least(1)
    no_gradient_to = frozenset({1})
    allows_in_place = False
    ignores_lr_mult = True  # Caffe's unrolled net ignores the layer's `param`s, which clip_gradients notices
    #: Number of states passed from step to step.
    state_count: ClassVar[int]
    #: Number of weighted sums that a step needs per output.
    gate_count: ClassVar[int]

    def is_pure(self) -> bool:
        return False  # states of one run are the input of the next

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("recurrent_param")
        params.ignore("debug_info")
        self.outputs: int = params.num_output
        self.weight_filler = params.weight_filler
        self.bias_filler = params.bias_filler
        self.exposed: int = self.state_count if params.expose_hidden else 0
        require_positive(spec, "num_output", [self.outputs])
        self._require_counts(len(spec.parameter.bottom), spec.top_count)
        self.has_static = len(spec.parameter.bottom) == 3 + self.exposed
        self._states: States | None = None

    def setup(self, *bottom_shapes: Shape) -> None:
        self._require_shapes(bottom_shapes)
        sums = self.gate_count * self.outputs
        self.add_blob((sums, math.prod(bottom_shapes[0][2:])), self.weight_filler)
        self.add_blob((sums,), self.bias_filler)
        if self.has_static:
            self.add_blob((sums, math.prod(bottom_shapes[2][1:])), self.weight_filler)
        self.add_blob((sums, self.outputs), self.weight_filler)

    def whole_numbers(self, *_bottom_shapes: Shape) -> dict[int, int]:
        return {1: 2}  # cont: 0 where a sequence begins, else 1

    def multiply_adds(self, bottom_shapes: Sequence[Shape], top_shapes: Sequence[Shape]) -> int:
        steps, streams = bottom_shapes[0][:2]
        weights: list[int] = [math.prod(blob.shape) for blob in self.blobs if blob.dim() == 2]
        static = weights.pop(1) if self.has_static else 0  # the static input is the same at every step
        return streams * (steps * sum(weights) + static)

    @abstractmethod
    def step(self, sums: Tensor, states: States, continues: Tensor) -> States:
        """The states (hidden first) after a step, from sums (N, gates * D) and continues (N, 1)."""

    def outputs_of(self, hidden: Tensor) -> Tensor:
        """The top for the hidden states of all steps (T, N, D)."""
        return hidden

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        self._require_shapes(bottom_shapes)
        steps, streams = bottom_shapes[0][:2]
        return [(steps, streams, self.outputs), *[(1, streams, self.outputs)] * self.exposed]

    def forward(self, *bottoms: Tensor) -> Tops:
        sequence, continues = bottoms[:2]
        self._require_shapes([bottom.shape for bottom in bottoms])
        sums = linear(sequence.flatten(2), self.blobs[0], self.blobs[1])
        if self.has_static:
            sums = sums + linear(bottoms[2].flatten(1), self.blobs[2])
        states = self._first_states(bottoms)
        hidden = []
        for step_sums, step_continues in zip(sums, continues.detach(), strict=True):
            states = self.step(step_sums, states, step_continues[:, None])
            hidden.append(states[0])
        last = tuple(state.detach() for state in states)
        if not self.exposed and not sequence.is_meta and not _in_a_transform():
            self._states = last
        top = self.outputs_of(torch.stack(hidden))
        return (top, *(state[None] for state in last)) if self.exposed else top

    def forget(self) -> None:
        self._states = None

    def state(self) -> dict[str, Any]:
        """The states after the last batch."""
        return {} if self._states is None else {"states": [state.tolist() for state in self._states]}

    def restore(self, state: dict[str, Any]) -> None:
        """Continues from a `state()`; ValueError unless it holds `state_count` arrays (streams, outputs)."""
        states = tuple(torch.tensor(values, dtype=torch.float32) for values in state["states"])
        if len(states) != self.state_count or any(one.dim() != 2 or one.shape[1] != self.outputs for one in states):
            shapes = [tuple(one.shape) for one in states]
            raise ValueError(f"expected {self.state_count} arrays (streams, {self.outputs}), got {shapes}")
        self._states = states

    @property
    def hidden_weight(self) -> Tensor:
        weight: Tensor = self.blobs[3 if self.has_static else 2]
        return weight

    def _first_states(self, bottoms: tuple[Tensor, ...]) -> States:
        sequence = bottoms[0]
        streams = sequence.shape[1]
        if self.exposed:
            return tuple(state.detach()[0] for state in bottoms[-self.exposed :])
        if self._states is None or self._states[0].shape[0] != streams:
            return tuple(sequence.new_zeros(streams, self.outputs) for _ in range(self.state_count))
        states = tuple(state.to(sequence) for state in self._states)
        return tuple(state.clone() for state in states) if _cannot_be_learnt_from(states) else states

    def _require_counts(self, bottoms: int, tops: int) -> None:
        least = 2 + self.exposed
        if bottoms not in (least, least + 1):
            raise GraphError(
                f"{self.spec}: expected {least} bottoms, or {least + 1} with a static input, got {bottoms}"
            )
        if tops != 1 + self.exposed:
            raise GraphError(f"{self.spec}: expected exactly {1 + self.exposed} tops, got {tops}")

    def _require_shapes(self, bottoms: Sequence[Shape]) -> None:
        sequence, continues = bottoms[:2]
        if len(sequence) < 3 or tuple(continues) != tuple(sequence[:2]):
            raise ShapeError(
                f"{self.spec}: expected bottoms (steps, streams, ...) and (steps, streams), "
                f"got {list(sequence)} and {list(continues)}"
            )
        streams = sequence[1]
        expected = [1, streams, self.outputs]
        for state in bottoms[len(bottoms) - self.exposed :]:
            if list(state) != expected:
                raise ShapeError(f"{self.spec}: expected first states of {expected}, got {list(state)}")
        if self.has_static and (not bottoms[2] or bottoms[2][0] != streams):
            found = bottoms[2][0] if bottoms[2] else "a single number"
            raise ShapeError(f"{self.spec}: expected a static input for {streams} streams, got {found}")
        if self.blobs:
            self._require_item_sizes(bottoms)

    def _require_item_sizes(self, bottoms: Sequence[Shape]) -> None:
        found = [math.prod(bottoms[0][2:]), *([math.prod(bottoms[2][1:])] if self.has_static else [])]
        expected = [self.blobs[index].shape[1] for index in ((0, 2) if self.has_static else (0,))]
        if found != expected:
            raise ShapeError(
                f"{self.spec}: expected items of {' and '.join(map(str, expected))} values, for which the weights were "
                f"made, got {' and '.join(map(str, found))}"
            )


def _in_a_transform() -> bool:
    """Whether torch.func runs, whose tensors stand for several and cannot be used afterwards."""
    return not torch.compiler.is_compiling() and torch._C._functorch.maybe_current_level() is not None


def _cannot_be_learnt_from(states: States) -> bool:
    """Whether states of a call under torch.inference_mode are used outside of it, where torch refuses gradients."""
    return not torch.compiler.is_compiling() and states[0].is_inference() and not torch.is_inference_mode_enabled()
