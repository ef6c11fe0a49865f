"""What is made of weights, kept until one of them changes."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch

from caffe_compat.layers.base import Layer
from caffe_compat.net.blob import host_writes

T = TypeVar("T")


class MadeOfWeights(Generic[T]):
    """The result of a function of the blobs of some layers, computed again when any of them has changed.

    Arguments go to the function when it is called; others do not make it compute again.
    """

    def __init__(self, layers: Sequence[Layer], make: Callable[..., T]) -> None:
        self._layers = layers
        self._make = make
        self._made: tuple[list[tuple[int, int, int]], T] | None = None

    def __call__(self, *arguments: Any) -> T:
        versions = [
            (blob.data_ptr(), blob._version, host_writes(blob)) for layer in self._layers for blob in layer.blobs
        ]
        if self._made is None or self._made[0] != versions:
            with torch.no_grad():
                self._made = versions, self._make(*arguments)
        return self._made[1]
