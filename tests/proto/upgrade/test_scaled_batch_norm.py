"""BatchNorm of NVIDIA's and Intel's Caffe: two layers of BVLC's, from text and from weights."""

from pathlib import Path

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.errors import ShapeError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_weights
from caffe_compat.proto.text import parse_text
from caffe_compat.proto.upgrade import upgrade_net

GENERATOR = np.random.default_rng(11)
STATISTICS = [GENERATOR.normal(size=3), GENERATOR.uniform(0.5, 2, 3), np.array([1.0])]
SLOPE, BIAS = GENERATOR.normal(size=3), GENERATOR.normal(size=3)
NET = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: [2, 3, 4, 5] }} }} }}
layer {{ name: "bn" type: "BatchNorm" bottom: "data" top: "bn" batch_norm_param {{ eps: 0.01 {words} }} }}
"""


def upgraded(text: str) -> caffe_pb2.NetParameter:
    net = parse_text(text, caffe_pb2.NetParameter)
    upgrade_net(net)
    return net


@pytest.mark.parametrize(
    ("words", "scale"),
    [
        ("scale_bias: true", "bias_term: true"),
        ("scale_filler { type: 'constant' value: 2 }", "bias_term: true filler { type: 'constant' value: 2 }"),
        ("bias_filler { value: 3 }", "bias_term: true bias_filler { value: 3 }"),
        ("filler { value: 1 }", "bias_term: true filler { value: 1 }"),
        ("filler { }", "bias_term: true filler { value: 1 }"),
        ("use_weight_bias: true bias_term: false", "bias_term: false"),
    ],
)
def test_each_is_a_batch_norm_and_a_scale(words: str, scale: str) -> None:
    expected = NET.format(words="") + (
        f"layer {{ name: 'bn_scale' type: 'Scale' bottom: 'bn' top: 'bn' scale_param {{ {scale} }} }}"
    )
    assert upgraded(NET.format(words=words)) == upgraded(expected)


@pytest.mark.parametrize("words", ["", "scale_bias: false", "use_weight_bias: false"])
def test_others_stay_one_layer(words: str) -> None:
    assert upgraded(NET.format(words=words)) == upgraded(NET.format(words=""))


def test_rules_phase_and_rates_are_shared_out() -> None:
    net = upgraded(
        "layer { name: 'a_scale' type: 'Split' } layer { name: 'a' type: 'BatchNorm' top: 't' phase: TEST "
        "include { stage: 's' } param { lr_mult: 0 } param { lr_mult: 0 } param { lr_mult: 0 } param { lr_mult: 3 } "
        "param { lr_mult: 4 } batch_norm_param { scale_bias: true } }"
    )
    norm, scale = net.layer[1:]
    assert (scale.name, scale.phase, scale.include[0].stage[0]) == ("a_scale_", caffe_pb2.TEST, "s")
    assert [param.lr_mult for param in norm.param] == [0, 0, 0]
    assert [param.lr_mult for param in scale.param] == [3, 4]


def weights(path: Path, words: str = "") -> Path:
    net = parse_text(NET.format(words=words), caffe_pb2.NetParameter)
    for array in (*STATISTICS, SLOPE, BIAS):
        net.layer[1].blobs.add(data=array).shape.dim.append(len(array))
    path.write_bytes(net.SerializeToString())
    return path


def test_weights_are_shared_out(tmp_path: Path) -> None:
    layers = read_weights(weights(tmp_path / "w.caffemodel")).layers
    assert [(layer.name, layer.type, len(layer.blobs), layer.scale_of) for layer in layers] == [
        ("data", "Input", 0, ""),
        ("bn", "BatchNorm", 3, ""),
        ("bn_scale", "Scale", 2, "bn"),
    ]


def test_runs_as_nvidias_caffe_does(tmp_path: Path) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text(NET.format(words="scale_bias: true"))
    net = caffe.Net(str(file), str(weights(tmp_path / "w.caffemodel", "scale_bias: true")), caffe.TEST)
    bottom = GENERATOR.normal(size=(2, 3, 4, 5))
    net.blobs["data"].data[...] = bottom
    net.forward()
    mean, variance = (array[:, None, None] for array in STATISTICS[:2])
    expected = (bottom - mean) / np.sqrt(variance + 0.01) * SLOPE[:, None, None] + BIAS[:, None, None]
    np.testing.assert_allclose(net.blobs["bn"].data, expected, rtol=1e-5, atol=1e-6)


def test_a_scale_that_the_net_lacks_is_not_lost_in_silence(tmp_path: Path) -> None:
    file = tmp_path / "net.prototxt"
    file.write_text(NET.format(words=""))
    with pytest.raises(ShapeError, match=r"layer 'bn' holds a scale and a shift behind its statistics, .* 'bn_s"):
        caffe.Net(str(file), str(weights(tmp_path / "w.caffemodel")), caffe.TEST)
