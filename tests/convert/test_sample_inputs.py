import numpy as np
import pytest

from caffe_compat.convert.onnx.check import compare_with_onnxruntime
from caffe_compat.convert.onnx.export import export_onnx, onnx_bytes
from caffe_compat.convert.sample_inputs import sample_inputs
from tests.convert.onnx.cases import net_of

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
