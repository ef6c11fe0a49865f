"""Blobs: what flows between layers, and the weights (pycaffe's Blob); a SyncedTensor is an activation's memory."""

import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from caffe_compat.layers.kept_gradients import keep_gradient
from caffe_compat.layers.new_blobs import LegacyShape, whole_sizes

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


class Blob(LegacyShape):
    """An activation: `data` and `diff` are live NumPy arrays; `value` and `gradient` are the tensors behind them."""

    def __init__(self, shape: tuple[int, ...], device: torch.device) -> None:
        self.value = SyncedTensor(shape, device)
        self.gradient = SyncedTensor(shape, device)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.shape

    @property
    def data(self) -> HostArray:
        """The values, writable in place."""
        return self.value.host()

    @property
    def diff(self) -> HostArray:
        """The gradient, writable in place."""
        return self.gradient.host()

    def assign(self, value: Tensor) -> None:
        """Stores a layer's result; `diff` gets the same shape, and starts at zero if it needs more room."""
        self.value.assign(value)
        if self.gradient.shape != self.value.shape:
            self.gradient.reshape(self.value.shape)

    def reshape(self, *shape: int) -> None:
        """Changes the shape of data and diff, for example `blob.reshape(1, 3, 224, 224)`."""
        axes = whole_sizes(shape)
        self.value.reshape(axes)
        self.gradient.reshape(axes)

    def _repr_html_(self) -> str:
        return _html("Blob", self.value.snapshot())

    def let_go(self) -> None:
        """Detaches the arrays returned so far: `data` and `diff` become new arrays with the same numbers."""
        self.value.let_go()
        self.gradient.let_go()

    def move(self, device: torch.device) -> None:
        """Puts both tensors on another device."""
        self.value.move(device)
        self.gradient.move(device)


def _html(kind: str, value: Tensor) -> str:
    """What a notebook shows. The values are copied, so that looking keeps later runs fused."""
    from caffe_compat.pages.notebook import blob_html  # a late import: only notebooks need Jinja2 and OpenCV

    return blob_html(kind, value.detach().float().cpu().numpy())


def gradient_of(parameter: nn.Parameter) -> Tensor:
    """Returns the parameter's gradient tensor; creates it with zeros if no backward pass has run."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


class _HostCopy:
    """The host array of a weight or gradient on a GPU, and whether it was handed out since the last flush."""

    def __init__(self) -> None:
        self._array: HostArray | None = None
        self._may_be_written = False

    def of(self, tensor: Tensor) -> HostArray:
        """Returns the values as an array: on the CPU, the tensor's own memory; on a GPU, a host copy.

        What was written to an array handed out before goes to the device first, or this call would undo it.
        """
        if tensor.device.type == "cpu":
            return tensor.numpy()
        if self._array is not None and self._array.shape == tuple(tensor.shape):
            self.flush(lambda: tensor)
        values = tensor.detach().cpu().numpy()
        if self._array is not None and self._array.shape == values.shape:
            np.copyto(self._array, values)
        else:
            self._array = values
        self._may_be_written = True
        return self._array

    def flush(self, target: Callable[[], Tensor]) -> None:
        """Copies the array to the tensor on the device, if the array was handed out since the last call."""
        if self._may_be_written and self._array is not None:
            target().copy_(torch.from_numpy(self._array))
        self._may_be_written = False


class ParameterBlob(LegacyShape):
    """A weight blob around one `nn.Parameter`; `diff` is the accumulated gradient, looked up by `gradient`.

    On a GPU, `flush` copies host writes to `data` and `diff` to the device; the net calls `flush` before each run.
    """

    def __init__(self, parameter: nn.Parameter, gradient: Callable[[nn.Parameter], Tensor] = gradient_of) -> None:
        self.parameter = parameter
        #: Called once before a user may write to the weights, or changes their shape.
        self.before_access: Callable[[], None] | None = None
        self._gradient = gradient
        self._data = _HostCopy()
        self._diff = _HostCopy()
        #: The arrays that `data` returned: each call returns another one, and a user may hold several.
        self._handed_out: list[weakref.ref[HostArray]] = []

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.parameter.shape)

    @property
    def data(self) -> HostArray:
        """The weights, writable in place."""
        self._announce_access()
        note_host_write(self.parameter)
        array = self._data.of(self.parameter.data)
        self._handed_out = [*self._still_held(), weakref.ref(array)]
        return array

    def _announce_access(self) -> None:
        if self.before_access is not None:
            self.before_access()
            self.before_access = None

    def _still_held(self) -> "list[weakref.ref[HostArray]]":
        return [array for array in self._handed_out if array() is not None]

    @property
    def is_held(self) -> bool:
        """Whether an array returned by `data` is still referenced, so that the weights may be written at any time."""
        self._handed_out = self._still_held()
        return bool(self._handed_out)

    @property
    def diff(self) -> HostArray:
        """The accumulated gradient, writable in place."""
        keep_gradient(self.parameter)
        return self._diff.of(self._gradient(self.parameter))

    def _repr_html_(self) -> str:
        return _html("weights", self.parameter)

    def flush(self) -> None:
        """Copies host arrays handed out since the last flush to the device."""
        # Writes through `.data`: as in Caffe, a backward pass of an earlier forward then uses the new values.
        self._data.flush(lambda: self.parameter.data)
        self._diff.flush(lambda: self._gradient(self.parameter))

    def point_to(self, other: "ParameterBlob") -> None:
        """Makes this blob show the weight of another net (shared weights); `diff` stays this net's own.

        Both blobs use one host array: whichever net runs first copies host writes to the device.
        """
        self.parameter = other.parameter
        self._data = other._data

    def apart(self, parameter: nn.Parameter) -> "ParameterBlob":
        """Returns a blob of a parameter that uses this blob's memory and has a gradient of its own."""
        blob = ParameterBlob(parameter, self._gradient)
        if parameter.shape == self.parameter.shape:
            blob._data = self._data
        return blob

    def reshape(self, *shape: int) -> None:
        """Changes the shape of the weights; the values become zero if the number of elements changes."""
        self._announce_access()
        self.flush()
        data, axes = self.parameter.data, whole_sizes(shape)
        same = math.prod(axes) == data.numel()
        self.parameter.data = data.view(axes) if same else data.new_zeros(axes)
        self.parameter.grad = None


def note_host_write(parameter: nn.Parameter) -> None:
    """Counts one possible write on the host, which torch's version counter does not see."""
    vars(parameter)["host_writes"] = host_writes(parameter) + 1


def host_writes(parameter: Tensor) -> int:
    """Returns how often the values may have been written on the host; caches of derived values compare this count."""
    return getattr(parameter, "host_writes", 0)
