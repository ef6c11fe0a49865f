"""What is made of weights, kept until one of them changes."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer
from caffe_compat.net.blob import host_writes

T = TypeVar("T")

#: Values of a weight that are compared from call to call.
PROBES = 8


class MadeOfWeights(Generic[T]):
    """The result of a function of the blobs of some layers, computed again when any of them has changed.

    Arguments go to the function when it is called; others do not make it compute again.
    """

    def __init__(self, layers: Sequence[Layer], make: Callable[..., T]) -> None:
        self._layers = layers
        self._make = make
        self._made: tuple[list[object], T] | None = None

    def __call__(self, *arguments: Any) -> T:
        marks: list[object] = [_mark(blob) for layer in self._layers for blob in layer.blobs]
        if self._made is None or self._made[0] != marks:
            with torch.no_grad():
                self._made = marks, self._make(*arguments)
        return self._made[1]


def _mark(blob: Tensor) -> object:
    """What differs after a change: the place in memory, torch's count of writes, ours, and some of the values.

    Torch does not count what is written through `.data`. The values tell of most such changes; a change of single
    elements may be missed there, as it is by torch's own compiled and frozen modules.
    """
    version = 0 if blob.is_inference() else blob._version
    return (blob.data_ptr(), version, host_writes(blob), _probe(blob))


def _probe(blob: Tensor) -> list[float] | None:
    """Values spread over the blob's memory; None on a GPU, for whose answer the program would have to wait."""
    if blob.device.type != "cpu" or not blob.numel():
        return None
    stride = max(1, (blob.numel() - 1) // (PROBES - 1))
    values: list[float] = blob.detach().as_strided((min(PROBES, blob.numel()),), (stride,)).tolist()
    return values
