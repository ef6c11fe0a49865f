from google.protobuf import text_format

from caffe_compat.convert.forms.live_layers import data_layers, is_training_only, live_layers
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


def test_a_net_that_ends_in_a_silence_predicts_what_is_silenced() -> None:
    net = text_format.Parse(TEXT, caffe_pb2.NetParameter())
    del net.layer[5:7]
    net.layer.add(name="quiet", type="Silence", bottom=["first"])

    assert [layer.name for layer in live_layers(net.layer, {"ip"})] == ["ip", "relu", "prob"]


def test_outputs_that_are_asked_for_are_results() -> None:
    net = text_format.Parse(TEXT, caffe_pb2.NetParameter())
    assert [layer.name for layer in live_layers(net.layer, {"ip"}, ["prob"])] == ["ip", "relu", "prob", "side"]
    assert [layer.name for layer in live_layers(net.layer, set(), ["ip"])] == ["ip", "relu"]


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


def test_layers_that_bring_data() -> None:
    net = caffe_pb2.NetParameter()
    net.layer.add(name="data", type="AnnotatedData", top=["data", "label"])
    net.layer.add(name="moved", type="DetectNetTransformation", bottom=["data", "label"], top=["image", "grid"])
    net.layer.add(name="unknown", type="Unheard", bottom=["image", "ip"], top=["unknown"])
    net.layer.add(name="loss", type="MultiBoxLoss", bottom=["image", "label"], top=["loss"])
    net.layer.add(name="anchors", type="Parameter", top=["anchors"])
    assert data_layers(net.layer) == {"data", "moved"}


def test_layers_of_training_alone() -> None:
    def is_dropped(kind: str) -> bool:
        return is_training_only(caffe_pb2.LayerParameter(type=kind))

    assert is_dropped("SoftmaxWithLoss")
    assert is_dropped("Silence")
    assert is_dropped("MultiBoxLoss")
    assert is_dropped("EvalDetection")
    assert is_dropped("UnheardOfLoss")
    assert not is_dropped("InnerProduct")
    assert not is_dropped("ROIAlign")
    assert not is_dropped("UnheardOf")
