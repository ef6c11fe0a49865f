from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

import caffe_compat as caffe
from caffe_compat.convert.formats.caffemodel import read_caffemodel
from caffe_compat.convert.forms.deploy_form import data_layers, deploy_form, is_training_only, live_layers
from caffe_compat.convert.model import Model
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import GraphError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects.translate import in_dialect
from caffe_compat.proto.write import write_text
from tests.convert.models import LIKE, RELEASED, STAGES, model_of

TRAINED = """
name: "t"
layer { name: "data" type: "DummyData" top: "data" top: "label" include { phase: TRAIN }
  dummy_data_param { shape { dim: 2 dim: 3 dim: 6 dim: 5 } shape { dim: 2 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 2 }
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "msra" } } }
layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" batch_norm_param { use_global_stats: false } }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" dropout_param { dropout_ratio: 0.3 } }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" param { name: "w" lr_mult: 3 }
  inner_product_param { num_output: 3 bias_filler { type: "constant" } } }
layer { name: "doubled" type: "Power" bottom: "label" top: "doubled" power_param { scale: 2 } }
layer { name: "aux" type: "TanH" bottom: "conv" top: "aux" }
layer { name: "silence" type: "Silence" bottom: "aux" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "doubled" top: "accuracy" }
"""


def trained() -> Model:
    model = model_of(TRAINED)
    for layer in model.net.layer:
        layer.phase = caffe_pb2.TRAIN
    return model


def test_what_predicts_stays_and_says_nothing_about_learning() -> None:
    model = trained()
    report = ConversionReport(model)
    deployed = deploy_form(model, report=report)

    assert [layer.name for layer in deployed.net.layer] == ["data", "conv", "norm", "drop", "ip"]
    assert list(deployed.net.layer[0].input_param.shape[0].dim) == [2, 3, 6, 5]
    conv, norm, _, ip = deployed.net.layer[1:]
    assert not conv.param
    assert not conv.convolution_param.HasField("weight_filler")
    assert not norm.HasField("batch_norm_param")
    assert [(param.name, param.HasField("lr_mult")) for param in ip.param] == [("w", False)]
    done = {row.source: row.done for row in report.rows(deployed)}
    assert done["loss"] == done["doubled"] == done["aux"] == "dropped: nothing that it gives is predicted"
    assert done["data"] == "dropped: the net is fed through inputs"


def test_statistics_of_a_net_that_was_not_training_stay_as_said() -> None:
    model = model_of(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
        'layer { name: "n" type: "BatchNorm" bottom: "x" top: "y" batch_norm_param { use_global_stats: false } }'
    )
    assert deploy_form(model).layer("n").batch_norm_param.HasField("use_global_stats")


@pytest.mark.slow
def test_the_released_structure_runs_from_its_weights_alone(tmp_path: Path) -> None:
    """No prototxt: the rebuilt one gives what the one beside the weights gives, bit for bit."""
    model = read_caffemodel(RELEASED)
    write_text(tmp_path / "net.prototxt", in_dialect(deploy_form(model).net, model.dialect))
    image = np.random.default_rng(5).normal(0, 50, (1, 3, 224, 224)).astype(np.float32)

    outputs = []
    for prototxt in (LIKE / "net.prototxt", tmp_path / "net.prototxt"):
        net = caffe.Net(str(prototxt), caffe.TEST, weights=RELEASED)
        net.blobs["data"].reshape(*image.shape)
        net.reshape()
        net.blobs["data"].data[...] = image
        outputs.append({name: np.array(value) for name, value in net.forward().items()})
    assert outputs[0].keys() == outputs[1].keys() == {"att.y_att", "prob"}
    for name, value in outputs[0].items():
        np.testing.assert_array_equal(outputs[1][name], value)


def test_a_trained_step_of_the_small_net_is_deployed() -> None:
    deployed = deploy_form(read_caffemodel(str(STAGES / "step_4" / "init.caffemodel")))

    assert list(deployed.net.layer[0].input_param.shape[0].dim) == [1, 3, 24, 24]
    assert not any("Loss" in layer.type for layer in deployed.net.layer)


def test_layers_of_the_other_phase_stay_out_of_a_prototxts_net() -> None:
    model = trained()
    for layer, phase in (("data", "TEST"), ("drop", "TRAIN")):
        del model.layer(layer).include[:]
        model.layer(layer).include.add(phase=phase)
    both = Model(model.net, model.blobs, "bvlc", "p", is_filtered=False)

    assert [layer.name for layer in deploy_form(both).net.layer] == ["data", "conv", "norm", "ip"]


def test_a_net_of_losses_is_refused() -> None:
    text = 'layer { name: "x" type: "Input" top: "a" top: "b" input_param { shape { dim: 2 dim: 3 } } }'
    text += 'layer { name: "loss" type: "EuclideanLoss" bottom: "a" bottom: "b" top: "loss" }'
    with pytest.raises(
        GraphError, match=r"^net\.caffemodel: expected layers that predict, found only data, losses and"
    ):
        deploy_form(model_of(text))


def test_a_net_without_inputs_is_refused() -> None:
    text = 'layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 2 } } }'
    with pytest.raises(GraphError, match=r"^net\.caffemodel: expected a net with inputs, found none; give the deploy"):
        deploy_form(model_of(text))


def test_a_net_that_ssd_trained_is_deployed_without_its_loss_and_data() -> None:
    """A weights file holds the training net, of whose types only SSD's Caffe has some."""
    body = 'layer { name: "loc" type: "Convolution" bottom: "data" top: "loc" convolution_param { num_output: 2 '
    body += "kernel_size: 3 } }"
    model = model_of('layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 5 '
                     'dim: 6 } } }' + body)  # fmt: skip
    net = model.net
    net.layer[0].CopyFrom(type(net.layer[0])(name="data", type="AnnotatedData", top=["data", "label"]))
    net.layer.add(name="mbox_loss", type="MultiBoxLoss", bottom=["loc", "label"], top=["mbox_loss"])
    deployed = deploy_form(model, {"data": (1, 3, 5, 6)})

    assert [layer.type for layer in deployed.net.layer] == ["Input", "Convolution"]


def test_blobs_that_are_asked_for_stay() -> None:
    deployed = deploy_form(trained(), outputs=["aux"])
    assert [layer.name for layer in deployed.net.layer] == ["data", "conv", "norm", "drop", "aux"]


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


def test_all_that_is_silenced_is_predicted_also_without_weights_behind_it() -> None:
    net = caffe_pb2.NetParameter()
    net.layer.add(name="data", type="Input", top=["data"])
    net.layer.add(name="twice", type="Power", bottom=["data"], top=["twice"])
    net.layer.add(name="ip", type="InnerProduct", bottom=["data"], top=["ip"])
    net.layer.add(name="quiet", type="Silence", bottom=["twice", "ip", "data"])
    assert [layer.name for layer in live_layers(net.layer, {"ip"})] == ["data", "twice", "ip"]
    assert [layer.name for layer in live_layers(net.layer, {"ip"}, ["ip"])] == ["data", "ip"]
    net.layer[0].type, net.layer[0].top[:] = "Data", ["image", "data"]
    assert not live_layers(net.layer, set())  # `data` is a label now, and so is what comes from it alone


def test_what_weighs_a_prediction_by_labels_before_a_loss_is_dropped() -> None:
    net = caffe_pb2.NetParameter()
    net.layer.add(name="data", type="CPMData", top=["data", "label"])
    net.layer.add(name="cut", type="Slice", bottom=["label"], top=["weights", "heat"])
    net.layer.add(name="ip", type="InnerProduct", bottom=["data"], top=["ip"])
    net.layer.add(name="weighed", type="Eltwise", bottom=["ip", "weights"], top=["weighed"])
    net.layer.add(name="loss", type="EuclideanLoss", bottom=["weighed", "heat"], top=["loss"])
    assert [layer.name for layer in live_layers(net.layer, {"ip"})] == ["ip"]
    net.layer.add(name="relu", type="ReLU", bottom=["weighed"], top=["relu"])
    assert "weighed" in [layer.name for layer in live_layers(net.layer, {"ip"})]


def test_outputs_that_are_asked_for_are_results() -> None:
    net = text_format.Parse(TEXT, caffe_pb2.NetParameter())
    assert [layer.name for layer in live_layers(net.layer, {"ip"}, ["prob"])] == ["ip", "relu", "prob"]
    assert names("ip") == [layer.name for layer in live_layers(net.layer, {"ip"}, ["no blob"])]
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
    assert is_dropped("SegAccuracy")
    assert is_dropped("EltwiseAccuracy")
    assert is_dropped("ImgWriter")
    assert is_dropped("UnheardOfLoss")
    assert not is_dropped("InnerProduct")
    assert not is_dropped("ROIAlign")
    assert not is_dropped("UnheardOf")
