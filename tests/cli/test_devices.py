"""--device and --gpu."""

import argparse

import pytest
import torch

from caffe_compat.cli.common_flags import device, device_of_gpu
from caffe_compat.cli.devices import gpus_of
from caffe_compat.errors import MissingFeatureError


@pytest.mark.parametrize(
    ("text", "gpus"), [("", []), ("cpu", []), ("cuda", [0]), ("cuda:2", [2]), ("cuda:0,3,1", [0, 3, 1])]
)
def test_numbers(text: str, gpus: list[int]) -> None:
    assert gpus_of(device(text)) == gpus


@pytest.mark.parametrize(("text", "gpus"), [("", []), ("none", []), ("2", [2]), ("0,3,1", [0, 3, 1])])
def test_caffes_spelling(text: str, gpus: list[int]) -> None:
    assert gpus_of(device_of_gpu(text)) == gpus


@pytest.mark.parametrize("text", ["0;1", "-1", "1,", "cuda:0"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(
        argparse.ArgumentTypeError, match=rf"^expected numbers separated by commas, all or none, found '{text}'"
    ):
        device_of_gpu(text)


@pytest.mark.parametrize("text", ["gpu", "cuda:", "cuda:0,", "0", "none"])
def test_what_is_no_device(text: str) -> None:
    with pytest.raises(
        argparse.ArgumentTypeError, match=rf"^expected cpu, cuda, cuda:0, cuda:0,1 or all, found '{text}'"
    ):
        device(text)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there are GPUs")
def test_all_without_any() -> None:
    with pytest.raises(MissingFeatureError, match=r"^cannot use GPU mode"):
        gpus_of("all")
