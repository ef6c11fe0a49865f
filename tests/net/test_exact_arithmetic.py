"""The exact engine's settings hold while a layer runs, and no longer."""

from collections.abc import Iterator

import pytest
import torch

from caffe_compat.layers.base import sums_are_careful
from caffe_compat.net.exact_arithmetic import exact_arithmetic


def test_careful_sums_on_the_cpu() -> None:
    with exact_arithmetic(torch.device("cpu")):
        assert sums_are_careful()
    assert not sums_are_careful()


@pytest.fixture
def _matmul_with_tf32() -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = True
    yield
    torch.backends.cuda.matmul.allow_tf32 = before


@pytest.mark.usefixtures("_matmul_with_tf32")
def test_no_tf32_on_a_gpu_and_the_settings_return() -> None:
    before = torch.backends.cudnn.allow_tf32
    with exact_arithmetic(torch.device("cuda")):  # flags only: no GPU is touched
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before
    assert torch.backends.cuda.matmul.allow_tf32
