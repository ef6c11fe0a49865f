"""Float32 as Caffe computes it: no TF32 in products on a GPU, and sums that cancel are exact."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from caffe_compat.layers.zero_sums import careful_sums


@contextmanager
def exact_arithmetic(device: torch.device) -> Iterator[None]:
    """Holds for the layers that run within, forward or backward; the settings before are put back."""
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
