"""cuDNN tries its kernels on every new size and keeps the quickest: nets run on batches of one size."""

from contextlib import AbstractContextManager, nullcontext

import torch


def chosen_kernels(device: torch.device) -> AbstractContextManager[None]:
    """Holds while a net runs on a GPU; who asks torch for deterministic kernels gets those, untried."""
    if device.type != "cuda":
        return nullcontext()
    cudnn = torch.backends.cudnn
    fixed = cudnn.deterministic
    flags: AbstractContextManager[None] = cudnn.flags(
        cudnn.enabled, not fixed, deterministic=fixed, allow_tf32=cudnn.allow_tf32
    )
    return flags
