"""Blobs: what flows between layers, and the weights; pycaffe's Blob."""

import math
import weakref
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from caffe_compat.errors import ShapeError
from caffe_compat.layers.sizes import whole_sizes
from caffe_compat.net.synced_tensor import HostArray, SyncedTensor


class _LegacyShape:
    """`shape` and the four old names, for both kinds of blob."""

    @property
    def shape(self) -> tuple[int, ...]:
        raise NotImplementedError

    @property
    def count(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def _legacy(self, axis: int) -> int:
        if len(self.shape) > 4:
            raise ShapeError(f"cannot use legacy accessors (num, channels, height, width) on {len(self.shape)} axes")
        return self.shape[axis] if axis < len(self.shape) else 1

    num = property(lambda self: self._legacy(0), doc="Axis 0, or 1.")
    channels = property(lambda self: self._legacy(1), doc="Axis 1, or 1.")
    height = property(lambda self: self._legacy(2), doc="Axis 2, or 1.")
    width = property(lambda self: self._legacy(3), doc="Axis 3, or 1.")


class Blob(_LegacyShape):
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
        """Takes a layer's result."""
        self.value.assign(value)
        if self.gradient.shape != self.value.shape:
            self.gradient.reshape(self.value.shape)

    def reshape(self, *shape: int) -> None:
        """A new shape, as `blob.reshape(1, 3, 224, 224)`."""
        axes = whole_sizes(shape)
        self.value.reshape(axes)
        self.gradient.reshape(axes)

    def let_go(self) -> None:
        """Leaves arrays handed out so far to their holders; `data` and `diff` are new arrays of the same numbers."""
        self.value.let_go()
        self.gradient.let_go()

    def move(self, device: torch.device) -> None:
        """Puts both tensors on another device."""
        self.value.move(device)
        self.gradient.move(device)


def gradient_of(parameter: nn.Parameter) -> Tensor:
    """The parameter's gradient, zeros where no backward has run."""
    if parameter.grad is None:
        parameter.grad = torch.zeros_like(parameter)
    return parameter.grad


def _nobody() -> HostArray | None:
    return None


class _HostCopy:
    """The host array of a weight or gradient on a GPU, and whether it was handed out since the last flush."""

    def __init__(self) -> None:
        self._array: HostArray | None = None
        self._may_be_written = False

    def of(self, tensor: Tensor) -> HostArray:
        """The values; the array itself where they lie on the host."""
        if tensor.device.type == "cpu":
            return tensor.numpy()
        values = tensor.detach().cpu().numpy()
        if self._array is not None and self._array.shape == values.shape:
            np.copyto(self._array, values)
        else:
            self._array = values
        self._may_be_written = True
        return self._array

    def flush(self, target: Callable[[], Tensor]) -> None:
        """Brings the array to the device."""
        if self._may_be_written and self._array is not None:
            target().copy_(torch.from_numpy(self._array))
        self._may_be_written = False


class ParameterBlob(_LegacyShape):
    """A weight: the blob behind one `nn.Parameter`; its diff is the accumulated gradient, which `gradient` finds.

    On a GPU, `flush` brings what was written to `data` and `diff` to the device; the net calls it before it runs.
    """

    def __init__(self, parameter: nn.Parameter, gradient: Callable[[nn.Parameter], Tensor] = gradient_of) -> None:
        self.parameter = parameter
        #: Called before the weights are handed out, which may then be written.
        self.before_access: Callable[[], None] | None = None
        self._gradient = gradient
        self._data = _HostCopy()
        self._diff = _HostCopy()
        self._handed_out: Callable[[], HostArray | None] = _nobody

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.parameter.shape)

    @property
    def data(self) -> HostArray:
        """The weights, writable in place."""
        if self.before_access is not None:
            self.before_access()
            self.before_access = None
        note_host_write(self.parameter)
        array = self._data.of(self.parameter.data)
        self._handed_out = weakref.ref(array)
        return array

    @property
    def is_held(self) -> bool:
        """Whether someone has an array of the weights, and may write to it at any time."""
        return self._handed_out() is not None

    @property
    def diff(self) -> HostArray:
        """The accumulated gradient, writable in place."""
        return self._diff.of(self._gradient(self.parameter))

    def flush(self) -> None:
        """Brings host arrays that were handed out since the last time to the device."""
        # Through `.data`, so that a graph that reads the weight sees the new values in its backward, as in Caffe.
        self._data.flush(lambda: self.parameter.data)
        self._diff.flush(lambda: self._gradient(self.parameter))

    def point_to(self, other: "ParameterBlob") -> None:
        """Shows another net's weight from now on (shared weights); who holds this blob sees it too. The diff stays.

        The host array is the other's as well: whichever net runs first brings to the device what was written to it.
        """
        self.parameter = other.parameter
        self._data = other._data

    def reshape(self, *shape: int) -> None:
        """A new shape for the weights; another number of elements starts at zero."""
        self.flush()
        data, axes = self.parameter.data, whole_sizes(shape)
        same = math.prod(axes) == data.numel()
        self.parameter.data = data.view(axes) if same else data.new_zeros(axes)
        self.parameter.grad = None


def note_host_write(parameter: nn.Parameter) -> None:
    """Says that the values may be written on the host, where torch's version counter does not see it."""
    parameter.host_writes = host_writes(parameter) + 1  # type: ignore[attr-defined]


def host_writes(parameter: Tensor) -> int:
    """How often the values may have been written on the host: what is made of them must be made again."""
    return getattr(parameter, "host_writes", 0)
