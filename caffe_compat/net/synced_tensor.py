"""One tensor and the host array that users see of it (Caffe's SyncedMemory)."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

HostArray = np.ndarray[Any, np.dtype[Any]]


class SyncedTensor:
    """A value on a device with a host array that can be written in place.

    A host array, once handed out, stays the blob's memory: later values are copied into it, so that a user who keeps it
    sees them, and what the user writes reaches the device before the next use. Nothing is copied where nobody looked.
    On a GPU a written array counts from the last call of `host`, as in Caffe. A shape that needs no more room leaves
    the memory where it is (Blob::Reshape): the first values stay, and arrays handed out before are still the blob's.
    """

    def __init__(self, shape: tuple[int, ...], device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        self._shape = shape
        self._device = device
        self._dtype = dtype
        self._tensor: Tensor | None = None
        self._memory: HostArray | None = None  # flat, as large as the largest array handed out
        self._host: HostArray | None = None  # the part of it that the shape needs
        self._host_is_newer = False
        #: Computes the value, which a run left out; called before the value is read or changed in part.
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
        """Whether someone holds a host array of this value."""
        return self._host is not None

    def tensor(self) -> Tensor:
        """The value on the device, with what was written to the host array."""
        self._settle()
        if self._host_is_newer and self._host is not None:
            # A tensor of its own: a graph may still need the one that the array was made from.
            self._tensor = torch.from_numpy(self._host).to(self._device)
            self._host_is_newer = False
        if self._tensor is None:
            self._tensor = torch.zeros(self._shape, device=self._device, dtype=self._dtype)
        return self._tensor

    def snapshot(self) -> Tensor:
        """The value as a tensor that later writes cannot change: a copy where a host array shares its memory."""
        value = self.tensor().detach()
        return value.clone() if self.is_looked_at and self._device.type == "cpu" else value

    def host(self) -> HostArray:
        """The host array, C-contiguous; it may be written."""
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
        """Takes a new value; it goes into the memory that someone holds an array of, if that is large enough."""
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
        """Leaves the arrays handed out so far to their holders: what comes from now on goes into new memory."""
        if self.is_looked_at:
            self._tensor = self.snapshot()
            self._memory = self._host = None
            self._host_is_newer = False

    def reshape(self, shape: tuple[int, ...]) -> None:
        """A new shape; the first values stay, and where more are needed than there is room for, all start at zero."""
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
        """Puts the value on another device; a host array that was handed out stays connected."""
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
