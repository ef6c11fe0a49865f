"""What the check by onnxruntime calls the same."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from caffe_compat.convert.model import Assembly
from caffe_compat.convert.onnx.check import compare_with_onnxruntime
from caffe_compat.convert.onnx.export import export_onnx
from caffe_compat.errors import FormatError
from tests.convert.onnx.cases import net_of

UNPOOLED = """
layer { name: "conv" type: "Convolution" bottom: "a" top: "conv"
  convolution_param { num_output: 1 kernel_size: 1 bias_term: false } }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" top: "mask" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "up" type: "Upsample" bottom: "pool" bottom: "mask" top: "up" upsample_param { scale: 2 } }
"""


def exported(net: Assembly, second_weight: float) -> bytes:
    """The model with another second weight."""
    model = export_onnx(net)
    weight = next(one for one in model.graph.initializer if one.name == "conv.weight")
    weight.CopyFrom(numpy_helper.from_array(np.array([[[[1.0]], [[second_weight]]]], np.float32), "conv.weight"))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def test_warnings_of_onnxruntime_are_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    text = """
layer { name: "c" type: "Convolution" bottom: "a" top: "c" convolution_param { num_output: 8 kernel_size: 3 } }
layer { name: "m" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "s" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }
"""
    net = net_of(text, (2, 3, 7, 6))
    compare_with_onnxruntime("net.onnx", bytes(export_onnx(net).SerializeToString()), net)

    assert capfd.readouterr() == ("", "")


def test_another_choice_between_nearly_equal_maxima_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    net = net_of(UNPOOLED, (1, 2, 4, 6))
    net.steps[0].layer.blobs[0].data[:] = net.steps[0].layer.blobs[0].data.new_tensor([[[[1.0]], [[1 - 5e-7]]]])
    image = np.zeros((1, 2, 4, 6), np.float32)
    image[0, 0, 0, 0] = image[0, 1, 1, 1] = 3  # 3 and 3 (1 - 5e-7) in one window
    monkeypatch.setattr("caffe_compat.convert.onnx.check.sample_inputs", lambda *_: {"a": image})

    assert compare_with_onnxruntime("net.onnx", exported(net, 1 + 5e-7), net).error < 1e-5
    with pytest.raises(FormatError, match=r"net\.onnx: onnxruntime's 'conv' differs from ours by 0\.01"):
        compare_with_onnxruntime("net.onnx", exported(net, 1.01), net)
