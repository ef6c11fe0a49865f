"""Blobs that Python layers read and write: NumPy arrays on the host, with pycaffe's attributes."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caffe_compat.layers.base import Blobs
from caffe_compat.layers.kept_gradients import keep_gradient
from caffe_compat.layers.new_blobs import LegacyShape, whole_sizes

HostArray = np.ndarray[Any, np.dtype[Any]]


class PythonBlob(LegacyShape):
    """A bottom or top of a Python layer: float32 arrays `data` and `diff`, written in place."""

    def __init__(self, shape: Sequence[int] = ()) -> None:
        self.data: HostArray = np.zeros(tuple(shape), np.float32)
        self.diff: HostArray = np.zeros(tuple(shape), np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.data.shape)

    def reshape(self, *shape: int) -> None:
        """Sets a new shape, `top[0].reshape(2, 3)`; keeps the values if their count is equal, else sets zeros."""
        sizes = whole_sizes(shape)
        if sizes == self.shape:
            return
        if math.prod(sizes) == self.count:
            self.data, self.diff = self.data.reshape(sizes), self.diff.reshape(sizes)
        else:
            self.data, self.diff = np.zeros(sizes, np.float32), np.zeros(sizes, np.float32)

    def load(self, values: Tensor) -> None:
        """Copies shape and values of a tensor."""
        self.reshape(*values.shape)
        self.data[...] = values.detach().to("cpu", torch.float32).numpy()


class PythonParameter(LegacyShape):
    """A weight of a Python layer: arrays that share memory with an entry of the layer's `blobs`.

    On a GPU, the arrays are copies; `write_back` copies changes to the GPU.
    """

    def __init__(self, blobs: Blobs, index: int) -> None:
        self._blobs = blobs
        self._index = index
        self._copies: list[tuple[Tensor, HostArray]] = []

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.parameter.shape)

    @property
    def parameter(self) -> nn.Parameter:
        found: nn.Parameter = self._blobs[self._index]
        return found

    @property
    def data(self) -> HostArray:
        """The values of the weight."""
        return self._host(self.parameter.data)

    @property
    def diff(self) -> HostArray:
        """The gradient accumulated so far."""
        keep_gradient(self.parameter)
        return self._host(self.gradient())

    def gradient(self) -> Tensor:
        """The parameter's gradient; a new gradient of zeros if there is none."""
        if self.parameter.grad is None:
            self.parameter.grad = torch.zeros_like(self.parameter)
        return self.parameter.grad

    def reshape(self, *shape: int) -> None:
        """Sets a new shape; keeps the values if their count is equal, else sets zeros."""
        old, sizes = self.parameter.data, whole_sizes(shape)
        self.parameter.grad = None
        self.parameter.data = old.view(sizes) if math.prod(sizes) == old.numel() else old.new_zeros(sizes)

    def write_back(self) -> None:
        """Copies changed arrays to the GPU; no effect on the CPU."""
        for tensor, array in self._copies:
            tensor.copy_(torch.from_numpy(array))
        self._copies.clear()

    def _host(self, tensor: Tensor) -> HostArray:
        if tensor.device.type == "cpu":
            return tensor.numpy()
        for known, array in self._copies:
            if known.data_ptr() == tensor.data_ptr():
                return array
        array = tensor.cpu().numpy()
        self._copies.append((tensor, array))
        return array


class PythonParameters(Sequence[PythonParameter]):
    """`self.blobs` of a Python layer; `add_blob(2, 3)` appends a weight of zeros."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._entries: list[PythonParameter] = []

    def add_blob(self, *shape: int) -> None:
        """Appends a learnable blob of zeros with this shape."""
        self._blobs.append(nn.Parameter(torch.zeros(whole_sizes(shape))))
        self._entries.append(PythonParameter(self._blobs, len(self._entries)))

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: Any) -> Any:
        return self._entries[index]

    def __iter__(self) -> Iterator[PythonParameter]:
        return iter(self._entries)
