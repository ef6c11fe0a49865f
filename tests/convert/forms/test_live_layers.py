from google.protobuf import text_format

from caffe_compat.convert.forms.live_layers import is_data, is_training_only, live_layers
from caffe_compat.proto import caffe_pb2

TEXT = """
layer { name: "data" type: "HDF5Data" top: "data" top: "label" }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" }
layer { name: "parts" type: "Slice" bottom: "label" top: "first" top: "second" }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
layer { name: "side" type: "TanH" bottom: "ip" top: "side" }
layer { name: "distance" type: "EuclideanLoss" bottom: "side" bottom: "first" top: "distance" }
layer { name: "rest" type: "Silence" bottom: "second" bottom: "prob" }
"""


def names(*learned: str) -> list[str]:
    net = text_format.Parse(TEXT, caffe_pb2.NetParameter())
    return [layer.name for layer in live_layers(net.layer, set(learned))]


def test_a_loss_reads_predictions_and_labels() -> None:
    assert names("ip") == ["ip", "relu", "side"]


def test_without_weights_nothing_is_predicted() -> None:
    assert names() == []


def test_a_silenced_top_beside_a_result_stays_silent() -> None:
    net = text_format.Parse(TEXT, caffe_pb2.NetParameter())
    net.layer.add(name="cut", type="Slice", bottom=["ip"], top=["x", "y", "z"])
    net.layer.add(name="quiet", type="Silence", bottom=["second", "z", "x"])
    layers = live_layers(net.layer, {"ip"})

    assert [layer.name for layer in layers] == ["ip", "relu", "side", "cut", "quiet"]
    assert layers[-1] == caffe_pb2.LayerParameter(name="quiet", type="Silence", bottom=["z", "x"])


def test_a_top_that_nobody_reads_is_a_result() -> None:
    net = text_format.Parse(TEXT, caffe_pb2.NetParameter())
    del net.layer[-1].bottom[1]
    assert "prob" in [layer.name for layer in live_layers(net.layer, set())]


def test_kinds_of_layers() -> None:
    data, ip, *_, loss, silence = text_format.Parse(TEXT, caffe_pb2.NetParameter()).layer
    assert is_data(data)
    assert not is_data(caffe_pb2.LayerParameter(type="Parameter"))
    assert is_training_only(loss)
    assert is_training_only(silence)
    assert not is_training_only(ip)
