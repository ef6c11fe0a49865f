"""Labels as class indices, a bound that gradients pass, and what a loss is divided by."""

import pytest
import torch
from google.protobuf import text_format

from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.loss.terms import clamp_below, class_labels, normalization_mode, normalizer
from caffe_compat.layers.spec import Params
from caffe_compat.proto import caffe_pb2
from tests.layers.harness import gradient, layer_parameter

SPEC = LayerSpec(layer_parameter("type: 'SoftmaxWithLoss'"))


def test_labels_round_towards_zero_and_ignored_ones_are_marked() -> None:
    labels = class_labels(SPEC, torch.zeros(2, 4, 2), torch.tensor([1.9, -1.2, 3.0, -0.9]), 1, -1)
    assert labels.index.tolist() == [[1, 0], [3, 0]]
    assert labels.valid is not None
    assert labels.valid.tolist() == [[True, False], [True, True]]
    assert labels.count() == 3
    assert labels.zero_ignored(torch.ones(2, 2)).tolist() == [[1, 0], [1, 1]]


def test_shapes_need_no_values() -> None:
    labels = class_labels(SPEC, torch.zeros(2, 4, 3, device="meta"), torch.zeros(6, device="meta"), -2 % 3)
    assert labels.index.shape == (2, 3)
    assert labels.count() == 6


def test_bounds_values_but_not_gradients() -> None:
    values = torch.tensor([-3.0, 0.5, float("-inf")], requires_grad=True)
    bounded = clamp_below(values, -1.0)
    bounded.backward(torch.tensor([2.0, 3.0, 4.0]))
    assert bounded.tolist() == [-1.0, 0.5, -1.0]
    assert gradient(values).tolist() == [2.0, 3.0, 4.0]


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
