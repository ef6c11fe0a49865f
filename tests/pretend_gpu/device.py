"""A GPU that is not there: tensors that say they are on one, are computed on the CPU, and refuse to meet others.

The error for tensors of two devices comes from a GPU's own kernels, so that a machine without one never sees it. Here
every operation on a tensor of `GPU` goes through `PretendGpu`, which raises it, and counts where the host would wait.
Torch wants to hear of a device before the first backward of the process; `plugin.py` sees to that.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

NAME = "pretend"


class _Module(_DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        """What autocast may use."""
        return [torch.bfloat16, torch.float16]


#: Whether a real GPU takes the place of the pretended one.
REAL = os.environ.get("TEST_GPU") == "cuda"
if not REAL:
    _setup_privateuseone_for_python_backend(NAME, backend_module=_Module())
GPU = torch.device("cuda" if REAL else NAME, 0)
CPU = torch.device("cpu")

#: Operations for which the host has waited since the list was cleared.
waits: list[str] = []


#: Torch's own property, which the class below extends.
_DATA: Any = Tensor.data


def _written(tensor: "OnGpu") -> str:
    return f"OnGpu({tensor.on_cpu})"


def _dispatch(cls: type[Any], operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
    return _run(operation, args, kwargs or {})


class OnGpu(Tensor):
    """A tensor of the pretended device; `on_cpu` holds it on the CPU."""

    on_cpu: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> "OnGpu":
        strides, offset = values.stride(), values.storage_offset()
        made = Tensor._make_wrapper_subclass(
            cls, values.shape, strides=strides, storage_offset=offset, dtype=values.dtype, device=GPU
        )
        made.on_cpu = values
        return made

    def tolist(self) -> Any:
        """Numbers, for which a host waits."""
        waits.append("tolist")
        return self.on_cpu.tolist()

    def _get_data(self) -> Tensor:
        data: Tensor = _DATA.__get__(self)
        return data

    def _set_data(self, other: "OnGpu") -> None:
        _DATA.__set__(self, other)
        self.on_cpu = other.on_cpu

    #: The same memory outside of any graph.
    data: Any = property(_get_data, _set_data)

    __repr__: Any = _written
    __torch_dispatch__: Any = classmethod(_dispatch)


class PretendGpu(TorchDispatchMode):
    """While it is entered, tensors can be made on `GPU` and moved to it."""

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(operation, args, kwargs or {})


def on_the_gpu() -> AbstractContextManager[Any]:
    """What tests run within."""
    return nullcontext() if REAL else PretendGpu()


@contextmanager
def nothing_waits() -> Iterator[None]:
    """Fails where the host waits for the device."""
    waits.clear()
    torch.cuda.set_sync_debug_mode("error") if REAL else None
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default") if REAL else None
    assert not waits, f"the host waits for the device in {waits}"


def _run(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name = operation.overloadpacket.__name__
    tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
    here = any(isinstance(tensor, OnGpu) for tensor in tensors)
    device = kwargs.get("device")
    result_here = device.type == NAME if device is not None else here
    if device is not None and device.type == NAME:
        kwargs = {**kwargs, "device": CPU}
    if name == "copy_":
        return _copy(operation, args, kwargs)
    if here and (name == "_local_scalar_dense" or (name == "_to_copy" and not result_here)):
        waits.append(name)
    elif here and name != "_to_copy":
        _require_one_device(operation, tensors)
    result = operation(*tree_map(_values, args), **tree_map(_values, kwargs))
    if not result_here:
        return result
    result = tree_map(lambda value: OnGpu(value) if isinstance(value, Tensor) else value, result)
    return result if name == "_to_copy" else return_and_correct_aliasing(operation, args, kwargs, result)


def _require_one_device(operation: Any, tensors: list[Tensor]) -> None:
    others = {str(tensor.device) for tensor in tensors if not isinstance(tensor, OnGpu) and tensor.dim()}
    if others:
        raise RuntimeError(f"{operation}: expected all tensors to be on {GPU}, but found {', '.join(others)}")


def _copy(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    target, source, *rest = args
    if isinstance(source, OnGpu) and not isinstance(target, OnGpu):
        waits.append("copy_")
    operation(_values(target), _values(source), *rest, **kwargs)
    return target


def _values(value: Any) -> Any:
    return value.on_cpu if isinstance(value, OnGpu) else value


# What torch does below the dispatcher, where no mode sees it.
if not REAL:
    _library = torch.library.Library("aten", "IMPL")
    for _name, _make in (("empty_strided", torch.empty_strided), ("empty.memory_format", torch.empty)):
        _library.impl(_name, lambda *a, _make=_make, **k: OnGpu(_make(*a, **{**k, "device": CPU})), "PrivateUse1")
    _library.impl(
        "_copy_from", lambda source, target, wait=False: _values(target).copy_(_values(source)), "PrivateUse1"
    )


#: Operations that autocast computes in lower precision, as on CUDA, so far as layers call them.
PRODUCTS = ("conv1d", "conv2d", "conv_transpose2d.input", "linear", "matmul", "mm", "addmm", "bmm", "baddbmm")


def _in_lower_precision(name: str) -> Any:
    """An operation's kernel for autocast on the device: casts its float32 tensors, then calls the operation."""
    packet, _, overload = name.partition(".")
    operation = getattr(getattr(torch.ops.aten, packet), overload or "default")

    def run(*args: Any, **kwargs: Any) -> Any:
        lower = torch.get_autocast_dtype(NAME)
        with torch.autocast(NAME, enabled=False):
            return operation(*tree_map(lambda value: _cast(value, lower), args), **kwargs)

    return run


def _cast(value: Any, lower: torch.dtype) -> Any:
    return value.to(lower) if isinstance(value, Tensor) and value.dtype == torch.float32 else value


if not REAL:
    _others = torch.library.Library("_", "IMPL")
    _others.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    for _name in PRODUCTS:
        _library.impl(_name, _in_lower_precision(_name), "AutocastPrivateUse1")
