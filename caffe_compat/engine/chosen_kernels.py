"""Lets cuDNN measure its kernels for each new size and keep the fastest; batches of a net mostly have one size."""

from contextlib import AbstractContextManager, nullcontext

import torch


def chosen_kernels(device: torch.device) -> AbstractContextManager[None]:
    """Returns a context in which cuDNN measures kernels, on a GPU only; not if torch asks for deterministic kernels."""
    if device.type != "cuda":
        return nullcontext()
    cudnn = torch.backends.cudnn
    fixed = cudnn.deterministic
    flags: AbstractContextManager[None] = cudnn.flags(
        cudnn.enabled, not fixed, deterministic=fixed, allow_tf32=cudnn.allow_tf32
    )
    return flags
