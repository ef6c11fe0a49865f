"""Tensors without values on a device that is not there (torch's FakeTensor): shapes, devices and waits come out.

An operation that the device lacks, whose result has a shape that depends on values, or that mixes devices is an error.
What makes the host wait, and so could not be captured as a CUDA graph, is noted. Forward runs on "cuda"; backward needs
a device that torch has been built for, so training runs on the pretended one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_leaves

import caffe_compat.net.build
import caffe_compat.net.settings
from caffe_compat.layers.base import Layer
from tests.pretend_gpu.device import NAME

CUDA = torch.device("cuda", 0)
PRETENDED = torch.device(NAME, 0)
ANSWERS = {torch.bool: False, torch.int64: 0}


class Fakes(FakeTensorMode):
    """Fake tensors; `waits` names what the host has waited for, or would copy while a graph is captured."""

    def __init__(self) -> None:
        super().__init__(allow_non_fake_inputs=True)
        self.waits: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """A number that the host reads is 0."""
        name = func.overloadpacket.__name__
        if name == "_local_scalar_dense" and args[0].device.type != "cpu":
            self.waits.append(name)
            return ANSWERS.get(args[0].dtype, 0.0)
        result = super().__torch_dispatch__(func, types, args, kwargs)
        if name in ("_to_copy", "copy_") and not _is_number(args[-1] if name == "copy_" else args[0]):
            devices = {value.device.type for value in tree_leaves((args, result)) if isinstance(value, Tensor)}
            if len(devices) > 1:
                self.waits.append(f"{name} between {' and '.join(sorted(devices))}")
        return result


def _is_number(value: Any) -> bool:
    """Whether a tensor is a number of the host's, which a kernel gets as an argument."""
    return isinstance(value, Tensor) and value.dim() == 0 and value.device.type == "cpu"


def _move(layer: Layer, device: torch.device) -> Layer:
    """Layer.to for fakes, whose parameters torch cannot exchange in place."""
    for module in layer.modules():
        for name, parameter in list(module._parameters.items()):
            if parameter is not None:
                module._parameters[name] = nn.Parameter(parameter.detach().to(device), parameter.requires_grad)
        for name, buffer in list(module._buffers.items()):
            if buffer is not None:
                module._buffers[name] = buffer.to(device)
    return layer


@contextmanager
def fakes_on(device: torch.device) -> Iterator[Fakes]:
    """While it is entered, nets are built of fakes on the device."""
    with pytest.MonkeyPatch.context() as patch, Fakes() as fakes:
        patch.setattr(Layer, "to", _move)
        for waits in (torch.cuda, torch.accelerator):
            patch.setattr(waits, "synchronize", lambda *_, **__: fakes.waits.append("synchronize"))
        for module in (caffe_compat.net.settings, caffe_compat.net.build):
            patch.setattr(module, "current_device", lambda: device)
        yield fakes
