"""Where nets run and how they calculate: Caffe's global mode and device (caffe::Caffe), and its float32 arithmetic."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from caffe_compat.errors import MissingFeatureError
from caffe_compat.layers.base import careful_sums


@dataclass
class _Mode:
    gpu: bool = False
    device: int = 0


_MODE = _Mode()


def set_mode_cpu() -> None:
    """Nets built from now on run on the CPU."""
    _MODE.gpu = False


def set_mode_gpu() -> None:
    """Nets built from now on run on the GPU chosen by `set_device`."""
    require_cuda()
    _MODE.gpu = True


def set_device(index: int) -> None:
    """Chooses the GPU by index for GPU mode, which `set_mode_gpu` turns on; MissingFeatureError for no such GPU."""
    if torch.cuda.is_available() and not 0 <= index < torch.cuda.device_count():
        raise MissingFeatureError(f"expected a GPU below {torch.cuda.device_count()}, got {index}")
    _MODE.device = index


def current_device() -> torch.device:
    """Returns the device on which nets are built now: the CPU, or the chosen GPU in GPU mode."""
    return torch.device("cuda", _MODE.device) if _MODE.gpu else torch.device("cpu")


def require_cuda() -> None:
    """Raises MissingFeatureError if torch finds no CUDA device."""
    if not torch.cuda.is_available():
        raise MissingFeatureError(
            "cannot use GPU mode: torch finds no CUDA device here; use solver_mode: CPU or drop --gpu"
        )


@contextmanager
def exact_arithmetic(device: torch.device) -> Iterator[None]:
    """Applies Caffe's float32 arithmetic to layers that run in the `with` block, then restores the settings."""
    with careful_sums():
        if device.type != "cuda":
            yield
            return
        cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
        before = matmul.allow_tf32
        matmul.allow_tf32 = False
        try:
            with cudnn.flags(cudnn.enabled, cudnn.benchmark, deterministic=cudnn.deterministic, allow_tf32=False):
                yield
        finally:
            matmul.allow_tf32 = before
