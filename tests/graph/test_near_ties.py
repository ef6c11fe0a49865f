"""What counts as a choice between nearly equal values, and what does not."""

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffe_compat.graph.builder import GraphBuilder
from caffe_compat.graph.near_ties import is_near_tie, jumps
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.proto import caffe_pb2
from tests.layers.harness import build

SIZE = 1e-5


def argmax(fields: str = "axis: 1") -> Layer:
    return build(f"name: 'l' type: 'ArgMax' argmax_param {{ {fields} }}", (2, 3))


def test_the_index_of_a_nearly_equal_value_is_a_tie() -> None:
    scores = torch.tensor([[3.0, 2.99999, 1.0], [5.0, 2.0, 4.9999999]])
    assert is_near_tie(argmax(), [scores], 0, np.array([[1.0], [2.0]], np.float32), SIZE)
    assert not is_near_tie(argmax(), [scores], 0, np.array([[2.0], [2.0]], np.float32), SIZE)
    assert not is_near_tie(argmax(), [scores], 0, np.array([[1.0], [2.0], [0.0]], np.float32), SIZE)


def test_values_may_differ_by_rounding_only() -> None:
    scores = torch.tensor([[3.0, 2.9, 1.0], [5.0, 2.0, 4.0]])
    layer = argmax("axis: 1 out_max_val: true")
    assert is_near_tie(layer, [scores], 0, np.array([[3.00002], [5.0]], np.float32), SIZE)
    assert not is_near_tie(layer, [scores], 0, np.array([[3.01], [5.0]], np.float32), SIZE)


def test_the_mask_of_maxima() -> None:
    layer = build(
        "name: 'l' type: 'Pooling' top: 'a' top: 'b' pooling_param { kernel_size: 2 stride: 2 }", (1, 1, 2, 4)
    )
    image = torch.tensor([[[[1.0, 7.0, 3.0, 3.000001], [7.000001, 2.0, 0.0, 1.0]]]])
    assert is_near_tie(layer, [image], 1, np.array([[[[1.0, 2.0]]]], np.float32), SIZE)
    assert not is_near_tie(layer, [image], 1, np.array([[[[5.0, 2.0]]]], np.float32), SIZE)


def detections(threshold: float) -> tuple[Layer, list[torch.Tensor]]:
    """Two boxes of one class whose overlap is a third."""
    text = "name: 'l' type: 'DetectionOutput' detection_output_param { num_classes: 2 "
    priors = torch.tensor([[[0.0, 0.0, 0.4, 0.4, 0.2, 0.0, 0.6, 0.4], [1.0] * 8]])
    bottoms = [torch.zeros(1, 8), torch.tensor([[0.1, 0.9, 0.2, 0.8]]), priors]
    return build(f"{text} nms_param {{ nms_threshold: {threshold} }} }}", *bottoms), bottoms


def test_a_box_that_overlaps_by_just_the_threshold_is_a_tie() -> None:
    one = np.array([[[[0, 1, 0.9, 0, 0, 0.4, 0.4]]]], np.float32)
    both = np.concatenate([one, [[[[0, 1, 0.8, 0.2, 0, 0.6, 0.4]]]]], axis=2).astype(np.float32)
    layer, bottoms = detections(1 / 3)
    assert is_near_tie(layer, bottoms, 0, one, SIZE)
    assert is_near_tie(layer, bottoms, 0, both, SIZE)
    layer, bottoms = detections(0.3)
    assert is_near_tie(layer, bottoms, 0, one, SIZE)
    assert not is_near_tie(layer, bottoms, 0, both, SIZE)
    layer, bottoms = detections(0.4)
    assert not is_near_tie(layer, bottoms, 0, one, SIZE)
    assert not is_near_tie(layer, bottoms, 0, both + np.float32(0.01), SIZE)


def test_indices_are_not_moved() -> None:
    layer = build("name: 'l' type: 'Filter' bottom: 'a' bottom: 'b' top: 'a2'", (3, 2), (3,))
    bottoms = [torch.arange(6.0).reshape(3, 2), torch.tensor([1.0, 0.0, 1.0])]
    assert is_near_tie(layer, bottoms, 0, np.array([[0, 1], [4, 5]], np.float32), SIZE)
    assert not is_near_tie(layer, bottoms, 0, np.array([[0, 1], [2, 3]], np.float32), SIZE)


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("name: 'l' type: 'Pooling' bottom: 'x' top: 'a' top: 'b' pooling_param { kernel_size: 2 }", False, True),
        ("name: 'l' type: 'Slice' bottom: 'x' top: 'a' top: 'b'", False, False),
        ("name: 'l' type: 'ArgMax' bottom: 'x' top: 'a'", True, True),
    ],
)
def test_which_tops_jump(text: str, first: bool, second: bool) -> None:

    builder = GraphBuilder(LayerSpec, {"x": (1, 2, 4, 4)})
    step = builder.add(text_format.Parse(text, caffe_pb2.LayerParameter()))
    assert (jumps(step, 0), jumps(step, 1)) == (first, second)
