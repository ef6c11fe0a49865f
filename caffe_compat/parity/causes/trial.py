"""One layer with one change, run to see whether it is what the other side does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from caffe_compat.errors import CaffeError
from caffe_compat.graph.builder import single_layer
from caffe_compat.layers.base import as_tuple
from caffe_compat.parity.recording import Recorded
from caffe_compat.proto import caffe_pb2


def unchanged(result: Tensor) -> Tensor:
    """What most trials do with a layer's result."""
    return result


@dataclass(frozen=True)
class Target:
    """Which result of a layer is looked at: a top, or a blob after forward (a running statistic)."""

    kind: str  # "top" or "blob"
    number: int


@dataclass(frozen=True)
class Trial:
    """A layer to run. `says` names its one change, and completes 'the other side has ...' in a report."""

    parameter: caffe_pb2.LayerParameter
    phase: str
    bottoms: tuple[Tensor, ...]
    blobs: tuple[Tensor, ...]
    target: Target
    given: Tensor | None = None  # the result of a layer that cannot be run again: inputs and data
    says: str = ""
    finish: Callable[[Tensor], Tensor] = unchanged

    def result(self) -> Tensor | None:
        """What the changed layer gives, or None where it cannot be built or run so."""
        try:
            return self.finish(self._run() if self.given is None else self.given)
        except (CaffeError, RuntimeError, ValueError, IndexError):  # what torch says of shapes and of axes
            return None

    def _run(self) -> Tensor:
        layer = single_layer(self.parameter, [tuple(bottom.shape) for bottom in self.bottoms], self.phase)
        layer.to(self.bottoms[0].device)
        for blob, values in zip(layer.blobs, self.blobs, strict=True):
            blob.data = values.clone().view(blob.shape)
        with torch.no_grad():
            tops = as_tuple(layer(*self.bottoms))
        return layer.blobs[self.target.number].data if self.target.kind == "blob" else tops[self.target.number]


Hypotheses = Callable[[Trial], Iterator[Trial]]
#: Hypotheses whose numbers are taken from the other side's result.
Fits = Callable[[Trial, Recorded], Iterator[Trial]]


def with_parameter(trial: Trial, change: Callable[[caffe_pb2.LayerParameter], None]) -> caffe_pb2.LayerParameter:
    """A copy of the layer's message with one change."""
    parameter = caffe_pb2.LayerParameter()
    parameter.CopyFrom(trial.parameter)
    change(parameter)
    return parameter
