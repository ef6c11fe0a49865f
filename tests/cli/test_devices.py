"""--gpu."""

import pytest
import torch

from caffe_compat.cli.devices import gpus_of
from caffe_compat.cli.flags import FlagError
from caffe_compat.errors import MissingFeatureError


@pytest.mark.parametrize(("text", "gpus"), [("", []), ("none", []), ("2", [2]), ("0,3,1", [0, 3, 1])])
def test_numbers(text: str, gpus: list[int]) -> None:
    assert gpus_of(text) == gpus


def test_what_is_no_number() -> None:
    with pytest.raises(
        FlagError, match=r"^flag '--gpu': expected numbers separated by commas, 'all' or 'none', got '0;1'"
    ):
        gpus_of("0;1")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there are GPUs")
def test_all_without_any() -> None:
    with pytest.raises(MissingFeatureError, match=r"^cannot use GPU mode"):
        gpus_of("all")
