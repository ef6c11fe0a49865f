"""Caches values computed from weights until a weight changes."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

from caffe_compat.layers.base import Layer
from caffe_compat.net.blob import host_writes

T = TypeVar("T")

#: Number of values of a weight that are compared between calls.
PROBES = 8


class MadeOfWeights(Generic[T]):
    """Caches the result of a function of some layers' blobs, and computes it again when a blob has changed.

    A call passes its arguments to the function. Other arguments alone do not cause a new computation.
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
    """Returns a mark that differs after a change of the blob.

    The mark holds the memory address, torch's and our counts of writes, and some values. Torch does not count writes
    through `.data`: the values reveal most such writes, but changes of single elements may be missed. Torch's own
    compiled and frozen modules miss them too.
    """
    version = 0 if blob.is_inference() else blob._version
    return (blob.data_ptr(), version, host_writes(blob), _probe(blob))


def _probe(blob: Tensor) -> list[float] | None:
    """Returns PROBES values spread over the blob's memory; None on a GPU, where reading would wait for the device."""
    if blob.device.type != "cpu" or not blob.numel():
        return None
    stride = max(1, (blob.numel() - 1) // (PROBES - 1))
    values: list[float] = blob.detach().as_strided((min(PROBES, blob.numel()),), (stride,)).tolist()
    return values
