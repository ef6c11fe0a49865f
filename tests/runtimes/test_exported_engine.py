"""Other runtimes as engines, against the exact engine on the same net."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffe_compat.engine.create import create_engine
from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.build import build_net
from caffe_compat.net.settings import Surroundings
from caffe_compat.proto import caffe_pb2
from tests.engine.nets import build

pytest.importorskip("onnxruntime")

NET = """
name: "small"
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 11 dim: 9 } } }
layer { name: "in_label" type: "Input" top: "label" input_param { shape { dim: 2 dim: 5 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 6 kernel_size: 3 stride: 2 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "fc" bottom: "label" top: "loss" loss_weight: 1.5 }
"""
ENGINES = {"onnxruntime": 1e-5, "openvino": 1e-5, "openvino-bf16": 3e-2}


@pytest.fixture(params=ENGINES)
def engine_name(request):
    if request.param.startswith("openvino"):
        pytest.importorskip("openvino")
    return request.param


def close(found, expected, engine_name):
    found, expected = torch.as_tensor(found), torch.as_tensor(expected)
    return (found - expected).abs().max() <= ENGINES[engine_name] * max(1.0, float(expected.abs().max()))


def test_blobs_and_loss_are_the_exact_engines(engine_name):
    exact, other = build(NET, "TEST"), build(NET, "TEST")
    losses = [create_engine("exact", exact).forward(), create_engine(engine_name, other).forward()]
    assert losses[0] > 0
    assert close(losses[1], losses[0], engine_name)
    assert close(other.blobs["fc"].data, exact.blobs["fc"].data, engine_name)
    assert close(other.blobs["loss"].data, exact.blobs["loss"].data, engine_name)


@pytest.mark.parametrize("layer", ["conv", "scale", "plane", "shift", "bn", "up", "fc"])
def test_a_bias_of_none_is_no_bias(layer, engine_name):
    biased = """
    layer { name: "plane" type: "Scale" bottom: "conv" top: "conv" scale_param { num_axes: 2 bias_term: true } }
    layer { name: "shift" type: "Bias" bottom: "conv" top: "conv" }
    layer { name: "bn" type: "BN" bottom: "conv" top: "conv" bn_param { frozen: true } }
    layer { name: "up" type: "Deconvolution" bottom: "conv" top: "up" convolution_param {
            num_output: 4 kernel_size: 2 weight_filler { type: "xavier" } } }
    """
    head, _, tail = NET.partition('layer { name: "relu"')
    text = head.replace('name: "bn"', 'name: "bn0"') + biased + ('layer { name: "relu"' + tail).replace("conv", "up")
    exact, other = build(text, "TEST"), build(text, "TEST")
    named: list[dict[str, Any]] = [{step.layer.name: step.layer for step in net.steps} for net in (exact, other)]
    for layers in named:
        for one in layers.values():
            if getattr(one, "bias", None) is not None:
                one.bias.data.fill_(0.2)
    engine = create_engine(engine_name, other)
    engine.forward()
    before = other.blobs["fc"].data.copy()
    for layers in named:
        layers[layer].bias = None
    create_engine("exact", exact).forward()
    engine.forward()
    assert close(other.blobs["fc"].data, exact.blobs["fc"].data, engine_name)
    assert not close(before, exact.blobs["fc"].data, engine_name)


@pytest.mark.parametrize("k", [0.4, 1.7, 2])
def test_the_constant_of_a_local_response_normalisation_is_not_rounded(k, engine_name):
    lrn = (
        f'layer {{ name: "lrn" type: "LRN" bottom: "conv" top: "lrn" lrn_param {{ k: {k} alpha: 0.3 local_size: 3 }} }}'
    )
    text = NET[: NET.index('layer { name: "bn"')] + lrn
    exact, other = build(text, "TEST"), build(text, "TEST")
    for name, net in (("exact", exact), (engine_name, other)):
        net.blobs["data"].data[...] = np.random.default_rng(8).normal(size=net.blobs["data"].data.shape)
        create_engine(name, net, ["lrn"]).forward()
    assert abs(exact.blobs["lrn"].data).max() > 0.3
    assert close(other.blobs["lrn"].data, exact.blobs["lrn"].data, engine_name)


def test_a_request_leaves_the_losses_out(engine_name):
    exact, other = build(NET, "TEST"), build(NET, "TEST")
    create_engine("exact", exact).forward()
    engine = create_engine(engine_name, other, ["pool"])
    assert engine.forward() == 0
    assert close(other.blobs["pool"].data, exact.blobs["pool"].data, engine_name)
    assert not other.blobs["fc"].data.any()
    engine.keep(["fc"])
    engine.forward()
    assert close(other.blobs["fc"].data, exact.blobs["fc"].data, engine_name)


def test_blobs_that_are_kept_leave_the_losses_in(engine_name):
    exact, other = build(NET, "TEST"), build(NET, "TEST")
    loss = create_engine("exact", exact).forward()
    engine = create_engine(engine_name, other)
    engine.keep(["pool"])
    assert close(engine.forward(), loss, engine_name)
    assert close(other.blobs["pool"].data, exact.blobs["pool"].data, engine_name)


def test_a_requested_blob_that_is_made_here_is_made(engine_name):
    exact, other = build(NET, "TEST"), build(NET, "TEST")
    create_engine("exact", exact).forward()
    assert create_engine(engine_name, other, ["pool", "loss"]).forward() == 0
    for name in ("pool", "loss"):
        assert close(other.blobs[name].data, exact.blobs[name].data, engine_name)


IN_PLACE = """
layer { name: "rectify" type: "ReLU" bottom: "data" top: "data" }
layer { name: "double" type: "Power" bottom: "data" top: "data" power_param { scale: 2 } }
"""


@pytest.mark.parametrize("in_place", ["", IN_PLACE])
@pytest.mark.parametrize("requested", [["data"], ["data", "fc"], ["data", "fc", "label"], None])
def test_an_input_may_be_requested_and_written_in_place(requested, in_place, engine_name):
    place = NET.index('layer { name: "conv"')
    text = NET[:place] + in_place + NET[place:]
    exact, other = build(text, "TEST"), build(text, "TEST")
    engines = [create_engine("exact", exact), create_engine(engine_name, other, requested)]
    engines[1].keep(["data"])
    for seed in (1, 2):
        images = np.random.default_rng(seed).normal(size=(2, 3, 11, 9))
        for net, engine in zip((exact, other), engines, strict=True):
            net.blobs["data"].data[...], net.blobs["label"].data[...] = images, 1
            engine.forward()
        for name in requested or ["data", "loss"]:
            assert close(other.blobs[name].data, exact.blobs[name].data, engine_name), name


def test_inputs_that_lead_to_no_requested_blob_are_left_out(engine_name):
    text = NET + 'layer { name: "twice" type: "Power" bottom: "label" top: "twice" power_param { scale: 2 } }'
    exact, other = build(text, "TEST"), build(text, "TEST")
    create_engine("exact", exact).forward()
    create_engine(engine_name, other, ["twice"]).forward()
    assert close(other.blobs["twice"].data, exact.blobs["twice"].data, engine_name)


WITH_PYTHON = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "other" type: "Power" bottom: "data" top: "other" power_param { scale: 3 } }
layer { name: "half" type: "Power" bottom: "data" top: "half" power_param { scale: 0.5 } }
layer { name: "times" type: "Python" bottom: "half" top: "half"
        python_param { module: "tests.layers.utility.user_layers" layer: "Times" param_str: "10" } }
layer { name: "square" type: "Power" bottom: "half" top: "square" power_param { power: 2 } }
"""


@pytest.mark.parametrize("requested", [None, ["other", "square"]])
def test_a_layer_in_place_without_an_onnx_form_is_not_passed_over(engine_name, requested):
    net = build_net(
        text_format.Parse(WITH_PYTHON, caffe_pb2.NetParameter()),
        caffe_pb2.NetState(phase=caffe_pb2.TEST),
        Surroundings(allow_python_layers=True),
    )
    net.blobs["data"].data[...] = [[1, 2, 3], [4, 5, 6]]
    create_engine(engine_name, net, requested).forward()
    assert net.blobs["other"].data.tolist() == [[3, 6, 9], [12, 15, 18]]
    assert net.blobs["square"].data.tolist() == [[25, 100, 225], [400, 625, 900]]


def test_new_weights_and_shapes_are_seen(engine_name):
    exact, other = build(NET, "TEST"), build(NET, "TEST")
    engines = create_engine("exact", exact), create_engine(engine_name, other)
    engines[1].forward()
    for net in (exact, other):
        net.params["fc"][0].data[...] *= -2
        for name in ("data", "label"):
            net.blobs[name].reshape(3, *net.blobs[name].shape[1:])
            generator = torch.Generator().manual_seed(4)
            net.blobs[name].data[...] = torch.rand(net.blobs[name].shape, generator=generator).numpy()
        net.reshape()
    losses = [engine.forward() for engine in engines]
    assert other.blobs["fc"].shape == (3, 5)
    assert close(other.blobs["fc"].data, exact.blobs["fc"].data, engine_name)
    assert close(losses[1], losses[0], engine_name)


def test_weights_written_past_torchs_count_are_seen(engine_name):
    exact, other = build(NET, "TEST"), build(NET, "TEST")
    engines = create_engine("exact", exact), create_engine(engine_name, other)
    engines[1].forward()
    for net in (exact, other):
        net.step_of("conv").layer.blobs[0].data[4, 2, 1, 0] += 3
        net.step_of("scale").layer.blobs[1].detach().numpy()[2] = -1.5
    losses = [engine.forward() for engine in engines]
    assert close(losses[1], losses[0], engine_name)
    assert close(other.blobs["fc"].data, exact.blobs["fc"].data, engine_name)


def test_training_is_refused(engine_name):
    message = rf"^--engine {engine_name} predicts only \(time: --phase TEST\); train with --engine fast or exact$"
    with pytest.raises(MissingFeatureError, match=message):
        create_engine(engine_name, build(NET, "TRAIN"))
    with pytest.raises(MissingFeatureError, match=message):
        create_engine(engine_name, build(NET, "TEST")).forward_backward()


def test_a_net_without_an_onnx_form_is_refused(engine_name):
    net = build(
        """layer { name: "in" type: "Input" top: "a" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "in2" type: "Input" top: "label" input_param { shape { dim: 2 dim: 3 } } }
        layer { name: "loss" type: "EuclideanLoss" bottom: "a" bottom: "label" top: "loss" }""",
        "TEST",
    )
    with pytest.raises(MissingFeatureError, match=r"^net '': no layer that leads to loss has an ONNX form; use"):
        create_engine(engine_name, net)


#: Strides of 1x1 kernels that OpenVINO would move to the ReLU, with padding and with one channel.
MOVED_STRIDES = """
layer { name: "in" type: "Input" top: "a" input_param { shape { dim: 2 dim: 4 dim: 8 dim: 9 } } }
layer { name: "slice" type: "Slice" bottom: "a" top: "one" top: "three" slice_param { slice_point: 1 } }
layer { name: "relu1" type: "ReLU" bottom: "one" top: "one" }
layer { name: "relu3" type: "ReLU" bottom: "three" top: "three" }
layer { name: "conv1" type: "Convolution" bottom: "one" top: "conv1"
        convolution_param { num_output: 2 kernel_size: 1 stride: 2 weight_filler { type: "xavier" } } }
layer { name: "conv3" type: "Convolution" bottom: "three" top: "conv3"
        convolution_param { num_output: 6 group: 3 kernel_size: 1 pad_h: 1 pad_w: 2 stride_h: 2 stride_w: 3
                            weight_filler { type: "xavier" } } }
"""


def test_strides_of_pointwise_convolutions_behind_other_layers(engine_name):
    exact, other = build(MOVED_STRIDES, "TEST"), build(MOVED_STRIDES, "TEST")
    create_engine("exact", exact).forward()
    create_engine(engine_name, other).forward()
    for name in ("conv1", "conv3"):
        assert other.blobs[name].shape == exact.blobs[name].shape
        assert close(other.blobs[name].data, exact.blobs[name].data, engine_name)


def test_what_openvino_cannot_prepare_names_another_engine(monkeypatch):
    openvino = pytest.importorskip("openvino")

    def fail(*_):
        raise RuntimeError("Exception from core.cpp:117:\nSomePass failed\n")

    monkeypatch.setattr(openvino.Core, "compile_model", fail)
    with pytest.raises(MissingFeatureError, match=r"^OpenVINO cannot run this net: SomePass failed; use --engine fast"):
        create_engine("openvino", build(NET, "TEST")).forward()


def test_what_onnx_runtime_cannot_prepare_names_another_engine():
    text = NET[: NET.index('layer { name: "bn"')]
    text += 'layer { name: "lrn" type: "LRN" bottom: "conv" top: "lrn" lrn_param { alpha: 0 } }'
    message = r"^ONNX Runtime cannot run this net: .*alpha_ > 0\.0f was false\. ?; use --engine fast or openvino$"
    with pytest.raises(MissingFeatureError, match=message):
        create_engine("onnxruntime", build(text, "TEST")).forward()


@pytest.mark.parametrize(
    ("name", "module", "message"),
    [
        ("onnxruntime", "onnxruntime", "--engine onnxruntime needs ONNX Runtime; install it: pip install"),
        ("openvino", "openvino", "--engine openvino needs OpenVINO; install it: pip install 'caffe-compat[openvino]'"),
    ],
)
def test_a_runtime_that_is_not_installed_names_its_extra(monkeypatch, name, module, message):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingFeatureError, match=message.replace("[", r"\[")):
        create_engine(name, build(NET, "TEST")).forward()


SIGNAL_AFTER_TWO_SESSIONS = """
import gc, os, signal
from onnx import TensorProto, helper
from caffe_compat.runtimes.sessions import openvino_session

blobs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in ("x", "y")]
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "small", blobs[:1], blobs[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
first, second = (openvino_session(model, ["y"]) for _ in range(2))
del first
gc.collect()
del second
gc.collect()
signal.signal(signal.SIGTERM, lambda *_: print("received"))
os.kill(os.getpid(), signal.SIGTERM)
"""


def test_a_signal_after_models_of_openvino_are_gone_is_received():
    pytest.importorskip("openvino")
    command = [sys.executable, "-c", SIGNAL_AFTER_TWO_SESSIONS]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert (ended.returncode, ended.stdout) == (0, "received\n")
