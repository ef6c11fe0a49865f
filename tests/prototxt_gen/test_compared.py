"""Generated files of the methods that the paper compares with."""

import pytest
from google.protobuf import text_format

from caffe_compat.errors import FieldError
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from prototxt_gen import Options, count, generate

SMALL = {"labels": 5, "backbone": "narrow", "width": 4, "input_size": 104}
DIALECT = {"batchnorm": bvlc_pb2, "bn": srn_fork_pb2}


def files(model, **options):
    return generate(model=model, **SMALL | options)


def layers_of(files, ending):
    (net,) = (message for name, message in files.items() if name.endswith(ending))
    return {layer.name: layer for layer in net.layer}


@pytest.mark.parametrize("norm", ["batchnorm", "bn"])
@pytest.mark.parametrize("unknown_labels", [False, True])
def test_warp_is_resnet_101_with_another_loss(norm, unknown_labels):
    ours, base = (files(model, norm=norm, unknown_labels=unknown_labels) for model in ("warp", "resnet101"))
    assert list(ours) == ["step_1_warp_trainval.prototxt", "step_1_warp_solver.prototxt", "custom_warp_test.prototxt"]
    (loss,) = (one for one in layers_of(ours, "trainval.prototxt").values() if one.type == "WARPLoss")
    assert (loss.name, list(loss.bottom)) == ("loss_cls", ["y_cls", "label"])
    assert list(layers_of(ours, "warp_test.prototxt")) == list(layers_of(base, "resnet101_test.prototxt"))
    for name, message in ours.items():
        kind = "SolverParameter" if name.endswith("solver.prototxt") else "NetParameter"
        text_format.Parse(text_format.MessageToString(message), getattr(DIALECT[norm], kind)())


def test_cnn_rnn_has_three_kinds_of_nets_in_the_words_of_bvlc_caffe():
    made = files("cnn_rnn")
    assert list(made) == [
        "step_1_resnet101_trainval.prototxt",
        "step_1_resnet101_solver.prototxt",
        "step_1_resnet101_test.prototxt",
        "step_2_cnn_rnn_trainval.prototxt",
        "step_2_cnn_rnn_solver.prototxt",
        "custom_cnn_rnn_test.prototxt",
        "custom_cnn_rnn_path_test.prototxt",
    ]
    for name, message in made.items():
        kind = "SolverParameter" if name.endswith("solver.prototxt") else "NetParameter"
        text_format.Parse(text_format.MessageToString(message), getattr(bvlc_pb2, kind)())


def test_cnn_rnn_learns_its_path_alone():
    layers = layers_of(files("cnn_rnn"), "cnn_rnn_trainval.prototxt")
    learning = {name for name, layer in layers.items() if any(block.lr_mult for block in layer.param)}
    assert learning == {"image_embedding", "label_embedding", "path_output", "path_scores"}
    shared = [layer.param[0].name for layer in layers.values() if layer.param and layer.param[0].name]
    assert shared == ["label_embedding"] * 2


def test_cnn_rnn_is_refused_where_its_layers_are_not_known():
    with pytest.raises(FieldError, match=r"^options: --model cnn_rnn needs Embed and LSTM, which the Caffe of --norm"):
        files("cnn_rnn", norm="bn")


def test_cnn_rnn_counts_the_embedding_once():
    parts = count(Options(model="cnn_rnn", **SMALL, embedding=3, hidden=7))
    embedding, lstm = (5 + 1) * 3, 4 * 7 * (3 + 1 + 7)
    assert parts["path"] == (16 + 1) * 3 + embedding + lstm + (7 + 1) * 3
