"""What a loss is divided by."""

import pytest
import torch
from google.protobuf import text_format

from caffe_compat.layers.loss.normalizer import normalization_mode, normalizer
from caffe_compat.layers.params import Params
from caffe_compat.proto import caffe_pb2


@pytest.mark.parametrize(
    ("fields", "mode"),
    [
        ("", "FULL"),
        ("normalization: NONE", "NONE"),
        ("normalize: true", "VALID"),
        ("normalize: false", "BATCH_SIZE"),
        ("normalize: false normalization: FULL", "FULL"),
    ],
)
def test_the_new_field_wins_over_the_old(fields: str, mode: str) -> None:
    params = Params("loss_param", text_format.Parse(fields, caffe_pb2.LossParameter()))
    assert normalization_mode(params, "FULL") == mode
    assert params.unread() == []


@pytest.mark.parametrize(("mode", "divisor"), [("FULL", 12), ("VALID", 7), ("BATCH_SIZE", 3), ("NONE", 1)])
def test_divisors(mode: str, divisor: int) -> None:
    assert normalizer(mode, 12, 7, 3) == divisor
    assert normalizer(mode, 12, torch.tensor(7), 3) == divisor


def test_is_at_least_one() -> None:
    assert normalizer("VALID", 12, torch.tensor(0), 3) == 1
    assert normalizer("FULL", 0, 0, 0) == 1
