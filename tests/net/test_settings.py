"""The global mode, and float32 arithmetic as in Caffe."""

from collections.abc import Iterator

import pytest
import torch

from caffe_compat.errors import MissingFeatureError
from caffe_compat.layers.base import sums_are_careful
from caffe_compat.net.settings import exact_arithmetic, set_device


def test_a_gpu_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for index in (2, -1):
        with pytest.raises(MissingFeatureError, match=rf"^expected a GPU below 2, got {index}$"):
            set_device(index)


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
