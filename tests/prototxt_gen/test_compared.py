"""Generated files of the methods that the paper compares with."""

import pytest
from google.protobuf import text_format

from caffe_compat.errors import FieldError, FormatError
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from prototxt_gen import GeneratorOptions, count, generate
from tests.prototxt_gen.generated import Options, net_of

SMALL: Options = {"labels": 5, "backbone": "narrow", "width": 4, "input_size": 104}
DIALECT = {"batchnorm": bvlc_pb2, "bn": srn_fork_pb2}


def files(model, **options):
    return generate(model=model, **SMALL | options)


def layers_of(files, ending):
    return {layer.name: layer for layer in net_of(files, ending).layer}


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
    parts = count(GeneratorOptions(model="cnn_rnn", **SMALL, embedding=3, hidden=7))
    embedding, lstm = (5 + 1) * 3, 4 * 7 * (3 + 1 + 7)
    assert parts["path"] == (16 + 1) * 3 + embedding + lstm + (7 + 1) * 3


REGION_MODELS = ("r_cnn", "r_star_cnn", "dhc")
REGIONS = {"around": 3, "parts": 2, "neighbours": 2, "scenes": 4, "bins": 2, "batch_size": 6, "iter_size": 1}


@pytest.mark.parametrize("model", REGION_MODELS)
@pytest.mark.parametrize("backbone", ["narrow", "resnet", "preresnet"])
def test_nets_of_regions_are_in_the_words_of_the_caffe_that_has_roi_pooling(model, backbone):
    for name, message in files(model, norm="bn", depth=26, **REGIONS | {"backbone": backbone}).items():
        kind = "SolverParameter" if name.endswith("solver.prototxt") else "NetParameter"
        text_format.Parse(text_format.MessageToString(message), getattr(srn_fork_pb2, kind)())


@pytest.mark.parametrize("model", REGION_MODELS)
def test_regions_are_the_only_thing_that_bvlc_caffe_lacks(model):
    for name, message in files(model, **REGIONS).items():
        if not name.endswith("solver.prototxt"):
            for layer in message.layer:
                if layer.type == "ROIPooling":
                    layer.ClearField("roi_pooling_param")
            text_format.Parse(text_format.MessageToString(message), bvlc_pb2.NetParameter())


def test_photographs_are_neither_cropped_nor_mirrored():
    layers = layers_of(files("dhc", **REGIONS), "trainval.prototxt")
    data = layers["data"]
    assert data.data_param.source == "data/custom/test_photo_lmdb"
    assert not data.transform_param.HasField("mirror")
    assert not data.transform_param.HasField("crop_size")
    with pytest.raises(FieldError, match=r"^options: --model dhc reads boxes of the whole photograph, which no crop"):
        files("dhc", augmentation="crop")
    with pytest.raises(FieldError, match=r"^options: --model r_cnn has LMDBs of boxes .* leave --source folder out"):
        files("r_cnn", source="folder")


def test_numbers_of_regions_come_from_the_data(tmp_path):
    (tmp_path / "regions.json").write_text('{"around": 4, "parts": 3, "neighbours": 2, "scenes": 5, "side": 120}')
    nets = {
        model: layers_of(files(model, data=str(tmp_path)), f"{model}_test.prototxt") for model in ("r_star_cnn", "dhc")
    }
    assert len(nets["r_star_cnn"]["regions"].top) == 1 + 4
    assert len(nets["dhc"]["regions"].top) == 1 + 3 + 3 * 2 + 1
    assert nets["dhc"]["scene_fc"].inner_product_param.num_output == 5
    (tmp_path / "regions.json").write_text('{"around": 0}')
    with pytest.raises(FormatError, match=r"regions.json: expected the numbers around, parts, neighbours and scenes"):
        files("dhc", data=str(tmp_path))
