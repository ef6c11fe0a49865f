import numpy as np
import pytest

from caffe_compat.convert.onnx.check import compare_with_onnxruntime
from caffe_compat.convert.onnx.export import export_onnx, onnx_bytes
from caffe_compat.convert.onnx.sample_inputs import sample_inputs
from tests.convert.onnx.cases import net_of

RECURRENT = 'recurrent_param { num_output: 5 weight_filler { type: "uniform" } }'
#: The layer, its bottoms' shapes, the bottom that holds whole numbers, and what they lie below.
CASES = {
    "Embed": ('bottom: "a" embed_param { input_dim: 7 num_output: 4 }', [(5, 3)], "a", 7),
    "BatchReindex": ('bottom: "a" bottom: "b"', [(3, 4), (9,)], "b", 3),
    "ROIPooling": (
        'bottom: "a" bottom: "b" roi_pooling_param { pooled_h: 2 pooled_w: 3 spatial_scale: 1 }',
        [(3, 2, 6, 5), (4, 5)],
        "b",
        3,
    ),
    "LSTM": (f'bottom: "a" bottom: "b" {RECURRENT}', [(6, 2, 3), (6, 2)], "b", 2),
    "RNN": (f'bottom: "a" bottom: "b" {RECURRENT}', [(6, 2, 3), (6, 2)], "b", 2),
    "Filter": ('bottom: "a" bottom: "b"', [(9, 3), (9,)], "b", 2),
}


@pytest.mark.parametrize("kind", CASES)
def test_what_is_looked_up_is_whole_and_in_range(kind: str) -> None:
    text, shapes, name, limit = CASES[kind]
    net = net_of(f'layer {{ name: "l" type: "{kind}" top: "l" {text} }}', *shapes)
    values = sample_inputs(net, 1)

    assert {key: value.shape for key, value in values.items()} == net.inputs
    assert set(np.unique(values[name])) <= set(range(limit))
    assert len(np.unique(values[name])) > 1
    assert compare_with_onnxruntime("n", onnx_bytes("n", export_onnx(net)), net).error < 1e-4


def test_other_inputs_are_like_images() -> None:
    net = net_of('layer { name: "l" type: "TanH" bottom: "a" top: "l" }', (2, 300))
    assert 40 < sample_inputs(net, 1)["a"].std() < 60
