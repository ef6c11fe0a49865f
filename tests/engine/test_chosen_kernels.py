"""cuDNN's search for kernels holds while the fast engine runs, and no longer; flags only: no GPU is touched."""

import pytest
import torch

from caffe_compat.engine.chosen_kernels import chosen_kernels

cudnn = torch.backends.cudnn


@pytest.mark.parametrize("deterministic", [False, True])
def test_on_a_gpu_the_quickest_kernels_unless_they_must_be_deterministic(deterministic: bool) -> None:
    with cudnn.flags(enabled=True, benchmark=False, deterministic=deterministic, allow_tf32=False):
        with chosen_kernels(torch.device("cuda")):
            assert cudnn.benchmark is not deterministic
            assert cudnn.deterministic is deterministic
            assert cudnn.allow_tf32 is False
        assert cudnn.benchmark is False


def test_on_the_cpu_nothing_changes() -> None:
    before = cudnn.benchmark
    with chosen_kernels(torch.device("cpu")):
        assert cudnn.benchmark == before
