"""Trial: a layer with one change, which is run to see whether it gives the other side's result."""

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
    """Returns the result unchanged; the default of `Trial.finish`."""
    return result


@dataclass(frozen=True)
class ComparedResult:
    """The result of a layer that is compared: a top, or a blob after forward (a running statistic)."""

    kind: str  # "top" or "blob"
    number: int


@dataclass(frozen=True)
class Trial:
    """A layer to run with one change; `says` describes the change in a report."""

    parameter: caffe_pb2.LayerParameter
    phase: str
    bottoms: tuple[Tensor, ...]
    blobs: tuple[Tensor, ...]
    target: ComparedResult
    given: Tensor | None = None  # the result of a layer that cannot run again (inputs and data)
    says: str = ""
    finish: Callable[[Tensor], Tensor] = unchanged

    def result(self) -> Tensor | None:
        """Returns the changed layer's result, or None if the changed layer cannot be built or run."""
        try:
            return self.finish(self._run() if self.given is None else self.given)
        except (CaffeError, RuntimeError, ValueError, IndexError):  # torch's errors about shapes and axes
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
#: Hypotheses with numbers fitted to the other side's result.
Fits = Callable[[Trial, Recorded], Iterator[Trial]]


def with_parameter(trial: Trial, change: Callable[[caffe_pb2.LayerParameter], None]) -> caffe_pb2.LayerParameter:
    """Returns a copy of the layer's message with one change."""
    parameter = caffe_pb2.LayerParameter()
    parameter.CopyFrom(trial.parameter)
    change(parameter)
    return parameter
