"""A tensor and the host array through which users read and write it (Caffe's SyncedMemory)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

HostArray = np.ndarray[Any, np.dtype[Any]]


class SyncedTensor:
    """A value on a device with a host array that can be written in place.

    A returned host array stays the blob's memory: later values are copied into the array, and a user's writes reach
    the device before the next use. If no array was requested, nothing is copied. On a GPU, only writes after the last
    call of `host` are sure to count, as in Caffe.

    A reshape to the same or a smaller number of elements keeps the memory (Blob::Reshape): the first values stay, and
    arrays returned earlier still show the blob.
    """

    def __init__(self, shape: tuple[int, ...], device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        self._shape = shape
        self._device = device
        self._dtype = dtype
        self._tensor: Tensor | None = None
        self._memory: HostArray | None = None  # flat, as large as the largest array returned
        self._host: HostArray | None = None  # the first elements of `_memory`, in the present shape
        self._host_is_newer = False
        #: Computes a value that a run skipped; called before the value is read or partly changed.
        self.pending: Callable[[], None] | None = None

    def _settle(self) -> None:
        if self.pending is not None:
            self.pending()

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def device(self) -> torch.device:
        return self._device

    @property
    def is_looked_at(self) -> bool:
        """Whether a host array of this value was returned, and may still be read or written by a user."""
        return self._host is not None

    def tensor(self) -> Tensor:
        """Returns the value on the device, including writes to the host array."""
        self._settle()
        if self._host_is_newer and self._host is not None:
            # A new tensor, since an autograd graph may still need the old one.
            self._tensor = torch.from_numpy(self._host).to(self._device)
            self._host_is_newer = False
        if self._tensor is None:
            self._tensor = torch.zeros(self._shape, device=self._device, dtype=self._dtype)
        return self._tensor

    def snapshot(self) -> Tensor:
        """Returns the value as a tensor that later writes cannot change; copies only if a host array shares memory."""
        value = self.tensor().detach()
        return value.clone() if self.is_looked_at and self._device.type == "cpu" else value

    def host(self) -> HostArray:
        """Returns the writable host array, C-contiguous, in the present shape."""
        value = self.tensor()
        if self._host is None:
            private = value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
            self._host = private.numpy()
            self._memory = self._host.reshape(-1)
            if self._device.type == "cpu":
                self._tensor = private
        elif self._device.type != "cpu":
            np.copyto(self._host, value.detach().cpu().numpy())
        self._host_is_newer = self._device.type != "cpu"
        return self._host

    def assign(self, value: Tensor) -> None:
        """Stores a new value and its shape; copies into the memory of a returned host array if that is large enough."""
        value = value.detach()
        self.pending = None
        self._host_is_newer = False
        if self._shape != tuple(value.shape):
            self._tensor = None
            self.reshape(tuple(value.shape))
        if self._host is not None and self._device.type == "cpu":
            np.copyto(self._host, value.cpu().numpy())
        else:
            self._tensor = value

    def let_go(self) -> None:
        """Detaches host arrays returned so far: later values go into new memory."""
        if self.is_looked_at:
            self._tensor = self.snapshot()
            self._memory = self._host = None
            self._host_is_newer = False

    def reshape(self, shape: tuple[int, ...]) -> None:
        """Changes the shape: keeps the first values if the memory is large enough, else sets all values to zero."""
        if shape == self._shape:
            return
        self._settle()
        count = math.prod(shape)
        if self._memory is not None and count <= self._memory.size:
            self._lay_over_memory(self._memory, shape)
        elif self._tensor is not None and count <= math.prod(self._shape):
            self._tensor = self._tensor.detach().contiguous().view(-1)[:count].view(shape)
        else:
            self._tensor = self._memory = self._host = None
            self._host_is_newer = False
        self._shape = shape

    def _lay_over_memory(self, memory: HostArray, shape: tuple[int, ...]) -> None:
        on_device = self._device.type != "cpu"
        if on_device and not self._host_is_newer and self._tensor is not None and self._host is not None:
            np.copyto(self._host, self._tensor.detach().cpu().numpy())
        self._host = memory[: math.prod(shape)].reshape(shape)
        self._tensor = None if self._host_is_newer else torch.from_numpy(self._host).to(self._device)

    def move(self, device: torch.device) -> None:
        """Moves the value to another device; a returned host array stays connected."""
        if device == self._device:
            return
        self._settle()
        if self._tensor is not None or self._host_is_newer:
            value = self.tensor().detach()
            self._tensor = value.to(device)
            if self._host is not None and device.type == "cpu":
                np.copyto(self._host, value.cpu().numpy())
                self._tensor = torch.from_numpy(self._host)
        self._device = device
        self._host_is_newer = False
