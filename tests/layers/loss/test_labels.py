"""Labels as class indices."""

import torch

from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.loss.labels import class_labels
from tests.layers.harness import layer_parameter

SPEC = LayerSpec(layer_parameter("type: 'SoftmaxWithLoss'"))


def test_labels_round_towards_zero_and_ignored_ones_are_marked() -> None:
    labels = class_labels(SPEC, torch.zeros(2, 4, 2), torch.tensor([1.9, -1.2, 3.0, -0.9]), 1, -1)
    assert labels.index.tolist() == [[1, 0], [3, 0]]
    assert labels.valid.tolist() == [[True, False], [True, True]]
    assert labels.count() == 3
    assert labels.zero_ignored(torch.ones(2, 2)).tolist() == [[1, 0], [1, 1]]


def test_shapes_need_no_values() -> None:
    labels = class_labels(SPEC, torch.zeros(2, 4, 3, device="meta"), torch.zeros(6, device="meta"), -2 % 3)
    assert labels.index.shape == (2, 3)
    assert labels.count() == 6
