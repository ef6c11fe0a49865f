"""What counts as a choice between nearly equal values, and what does not."""

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffe_compat.convert.onnx.check import compare_with_onnxruntime
from caffe_compat.convert.onnx.export import export_onnx, onnx_bytes
from caffe_compat.graph.builder import GraphBuilder
from caffe_compat.graph.comparing import is_near_tie, jumps, sample_inputs
from caffe_compat.layers.base import Layer, LayerSpec
from caffe_compat.proto import caffe_pb2
from tests.convert.onnx.cases import net_of
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


RECURRENT = 'recurrent_param { num_output: 5 weight_filler { type: "uniform" } }'
#: The layer, its bottoms' shapes, the bottom that holds whole numbers, and what they lie below.
CASES: dict[str, tuple[str, list[tuple[int, ...]], str, int]] = {
    "Embed": ('bottom: "a" embed_param { input_dim: 7 num_output: 4 }', [(5, 3)], "a", 7),
    "BatchReindex": ('bottom: "a" bottom: "b"', [(3, 4), (9,)], "b", 3),
    "LSTM": (f'bottom: "a" bottom: "b" {RECURRENT}', [(6, 2, 3), (6, 2)], "b", 2),
    "RNN": (f'bottom: "a" bottom: "b" {RECURRENT}', [(6, 2, 3), (6, 2)], "b", 2),
    "Filter": ('bottom: "a" bottom: "b"', [(9, 3), (9,)], "b", 2),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_looked_up_is_whole_and_in_range(kind: str) -> None:
    text, shapes, name, limit = CASES[kind]
    net = net_of(f'layer {{ name: "l" type: "{kind}" top: "l" {text} }}', *shapes)
    values = sample_inputs(net.steps, net.inputs, 1)

    assert {key: value.shape for key, value in values.items()} == net.inputs
    assert set(np.unique(values[name])) <= set(range(limit))
    assert len(np.unique(values[name])) > 1
    assert compare_with_onnxruntime("n", onnx_bytes("n", export_onnx(net)), net).error < 1e-4


def test_other_inputs_are_like_images() -> None:
    net = net_of('layer { name: "l" type: "TanH" bottom: "a" top: "l" }', (2, 300))
    assert 40 < sample_inputs(net.steps, net.inputs, 1)["a"].std() < 60


RESHAPED = """
layer { name: "s" type: "Slice" bottom: "b" top: "s" top: "rest" slice_param { axis: 1 slice_point: 2 } }
layer { name: "r" type: "Reshape" bottom: "s" top: "r" reshape_param { shape { dim: -1 } } }
layer { name: "cont" type: "Reshape" bottom: "r" top: "cont" reshape_param { shape { dim: 3 dim: 2 } } }
layer { name: "x" type: "Reshape" bottom: "a" top: "x" reshape_param { shape { dim: 3 dim: 2 dim: 4 } } }
layer { name: "l" type: "LSTM" bottom: "x" bottom: "cont" top: "l" recurrent_param { num_output: 2 } }
layer { name: "t" type: "TanH" bottom: "rest" top: "t" }
"""


def test_markers_are_0_and_1_through_reshapes_and_slices() -> None:
    net = net_of(RESHAPED, (6, 4), (3, 3))
    values = sample_inputs(net.steps, net.inputs, 1)
    assert set(np.unique(values["b"])) == {0, 1}
    assert values["a"].std() > 20


def test_what_is_computed_anew_needs_nothing_of_the_input() -> None:
    text = RESHAPED.replace('bottom: "b" top: "s"', 'bottom: "c" top: "s"')
    net = net_of('layer { name: "p" type: "Sigmoid" bottom: "b" top: "c" }' + text, (6, 4), (3, 3))
    assert len(np.unique(sample_inputs(net.steps, net.inputs, 1)["b"])) == 9


def test_regions_lie_within_the_image() -> None:
    text = 'layer { name: "f" type: "Flatten" bottom: "b" top: "f" } layer { name: "l" type: "ROIPooling" bottom: "a" '
    text += 'bottom: "f" top: "l" roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 0.25 } }'
    net = net_of(text, (3, 2, 6, 5), (40, 5, 1, 1))
    regions = sample_inputs(net.steps, net.inputs, 1)["b"].reshape(-1, 5)

    assert set(np.unique(regions[:, 0])) == {0, 1, 2}
    assert (regions[:, 1:3] <= regions[:, 3:]).all()
    assert (regions[:, 1:] >= 0).all()
    assert (regions[:, 3:] <= [20, 24]).all()
    assert regions[:, 3].max() > 15
    assert compare_with_onnxruntime("n", onnx_bytes("n", export_onnx(net)), net).error < 1e-4


def test_detections_get_priors_within_the_image_and_scores_that_add_up_to_1() -> None:
    """Priors of an image's size (deviation 50) made boxes of infinite size, whose overlaps are NaN."""
    text = 'layer { name: "f" type: "Flatten" bottom: "a" top: "f" } layer { name: "d" type: "DetectionOutput" '
    text += 'bottom: "f" bottom: "b" bottom: "p" top: "d" '
    text += "detection_output_param { num_classes: 3 code_type: CENTER_SIZE } }"
    prior = 'layer { name: "p" type: "Input" top: "p" input_param { shape { dim: 1 dim: 2 dim: 24 } } }'
    net = net_of(prior + text, (2, 6, 4), (2, 18))
    values = sample_inputs(net.steps, net.inputs, 1)
    boxes, variances = values["p"].reshape(2, 6, 4)
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    assert boxes.min() >= 0
    assert boxes.max() <= 1
    assert set(np.unique(variances)) == {np.float32(0.1), np.float32(0.2)}
    np.testing.assert_allclose(values["b"].reshape(2, 6, 3).sum(axis=2), 1, rtol=1e-5)
    assert compare_with_onnxruntime("n", onnx_bytes("n", export_onnx(net)), net).error < 1e-4
