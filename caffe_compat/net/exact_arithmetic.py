"""Float32 arithmetic as in Caffe: matrix products on a GPU without TF32, and exact sums where terms cancel."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from caffe_compat.layers.base import careful_sums


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
