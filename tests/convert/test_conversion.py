"""Conversions whole: options, order of the steps, what the report says."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf import text_format

import caffe_compat as caffe
from caffe_compat.convert.conversion import convert
from caffe_compat.convert.formats.caffemodel import read_caffemodel, write_caffemodel
from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.options import Options
from caffe_compat.errors import DialectError, FormatError, GraphError, MissingFeatureError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_net
from caffe_compat.proto.write import write_text
from tests.convert.models import GOLDENS, RELEASED, STAGES, assert_same_blobs, model_of

FORK_STEP = str(GOLDENS / "srn_fork" / "solvers" / "sgd_step" / "s_iter_10.caffemodel")
BVLC_STEP = str(STAGES / "step_4" / "init.caffemodel")
TEXT = """
name: "n" layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 5 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param { num_output: 4 kernel_size: 3 } }
"""


def converted(source: str, to: str, folder: Path, **options: Any) -> str:
    return convert(source, to, str(folder / f"out.{to}"), Options(**options)).path


@pytest.mark.parametrize("to", ["safetensors", "torch"])
def test_there_and_back(to: str, tmp_path: Path) -> None:
    away = converted(RELEASED, to, tmp_path)
    back = converted(away, "caffemodel", tmp_path)

    assert Path(back).read_bytes() == Path(RELEASED).read_bytes()


@pytest.mark.slow
def test_every_layer_is_in_the_report(tmp_path: Path) -> None:
    done = convert(RELEASED, "onnx", str(tmp_path / "n.onnx"), Options(rename="readable", fold_bn=True))
    source = read_caffemodel(RELEASED)

    assert {layer.name for layer in source.net.layer} <= {row.source for row in done.rows}
    row = next(row for row in done.rows if row.source == "att.att_BN_1")
    assert (row.target, row.target_type, row.source_shapes) == ("att_conv1", "Convolution", [(1, 64)] * 4)
    assert row.done == "renamed; folded into att_conv1"
    assert any(note.startswith("onnxruntime agrees: ") for note in done.report.notes)


@pytest.mark.parametrize(
    ("source", "dialect", "kind"), [(RELEASED, "bvlc", "BatchNorm"), (BVLC_STEP, "srn_fork", "BN")]
)
def test_the_other_caffe_gets_its_own_norms(source: str, dialect: str, kind: str, tmp_path: Path) -> None:
    path = converted(source, "caffemodel", tmp_path, dialect=dialect)
    model = read_caffemodel(path, dialect)

    kinds = {layer.type for layer in model.net.layer}
    assert kind in kinds
    assert not kinds & ({"BN", "BatchNorm"} - {kind})


def test_a_net_can_stay_as_it_is_only_if_the_other_caffe_has_it(tmp_path: Path) -> None:
    with pytest.raises(
        DialectError, match=r"layer 'caffe\.BN_1' \(BN\): Caffe of the bvlc dialect has no layer of this"
    ):
        converted(RELEASED, "caffemodel", tmp_path, dialect="bvlc", norm="keep")


def test_rebuilt_prototxts_say_where_they_come_from(tmp_path: Path) -> None:
    deploy = converted(RELEASED, "prototxt", tmp_path)
    assert Path(deploy).read_text().startswith(f"# deploy form, rebuilt from {RELEASED}\n")
    net = text_format.Parse(Path(deploy).read_text(), caffe_pb2.NetParameter())
    assert (list(net.input), list(net.input_shape[0].dim)) == (["data"], [1, 3, 224, 224])

    train = converted(RELEASED, "prototxt", tmp_path, form="train", input_shapes={"data": (4, 3, 224, 224)})
    net = text_format.Parse(Path(train).read_text(), caffe_pb2.NetParameter())
    assert list(net.input_shape[0].dim) == [4, 3, 224, 224]
    assert net.layer[0].convolution_param.weight_filler.type == "msra"


def test_a_train_form_of_data_layers_needs_no_shapes(tmp_path: Path) -> None:
    net = read_net(converted(BVLC_STEP, "prototxt", tmp_path, form="train"))
    assert net.layer[0].type == "HDF5Data"
    assert any(layer.type == "SigmoidCrossEntropyLoss" for layer in net.layer)


def test_hdf5_needs_the_net(tmp_path: Path) -> None:
    model = model_of(TEXT)
    write_caffemodel(str(tmp_path / "w.caffemodel.h5"), model)
    write_text(tmp_path / "net.prototxt", model.net)
    source = str(tmp_path / "w.caffemodel.h5")

    with pytest.raises(
        FormatError, match=r"w\.caffemodel\.h5: a prototxt needs the net, but .*; give the net with --proto"
    ):
        converted(source, "onnx", tmp_path)
    made = read_model(converted(source, "safetensors", tmp_path, prototxt=str(tmp_path / "net.prototxt")))
    assert_same_blobs(made, model)
    assert made.layer("conv").type == "Convolution"


def test_a_prototxt_of_another_net_is_refused(tmp_path: Path) -> None:
    write_caffemodel(str(tmp_path / "w.caffemodel"), model_of(TEXT))
    write_text(tmp_path / "net.prototxt", model_of(TEXT.replace('"conv"', '"other"')).net)
    with pytest.raises(
        GraphError, match=r"net\.prototxt: expected layers named as in .*w\.caffemodel \(conv \.\.\.\), found"
    ):
        converted(str(tmp_path / "w.caffemodel"), "onnx", tmp_path, prototxt=str(tmp_path / "net.prototxt"))


def test_layers_that_only_one_of_prototxt_and_weights_has(tmp_path: Path) -> None:
    more = TEXT + 'layer { name: "gone" type: "Bias" bottom: "conv" top: "gone" }'
    write_caffemodel(str(tmp_path / "w.caffemodel"), model_of(more))
    write_text(tmp_path / "p", model_of(TEXT + 'layer { name: "new" type: "TanH" bottom: "conv" top: "new" }').net)
    done = convert(
        str(tmp_path / "w.caffemodel"),
        "safetensors",
        str(tmp_path / "o"),
        Options(prototxt=str(tmp_path / "p")),
    )
    said = {(row.source, row.target): row.done for row in done.rows}

    assert said["gone", ""] == f"dropped: {tmp_path / 'p'} has no layer of this name"
    assert said["", "new"] == f"from {tmp_path / 'p'}"


def test_old_statistics_are_new_in_the_target(tmp_path: Path) -> None:
    model = read_caffemodel(FORK_STEP)
    blobs = {name: list(arrays) for name, arrays in model.blobs.items()}
    for layer in model.net.layer:
        if layer.type == "BN":
            blobs[layer.name][3] = (1 / np.sqrt(blobs[layer.name][3] + 1e-5)).astype(np.float32)
    write_caffemodel(str(tmp_path / "old.caffemodel"), model.with_layers(model.net.layer, blobs), "srn_fork")
    made = read_model(converted(str(tmp_path / "old.caffemodel"), "safetensors", tmp_path))

    for layer in model.net.layer:
        if layer.type == "BN":
            np.testing.assert_allclose(made.blobs[layer.name][3], model.blobs[layer.name][3], rtol=1e-5)
    loaded = caffe.load(str(tmp_path / "old.caffemodel"))
    name = next(layer.name for layer in model.net.layer if layer.type == "BN")
    statistic = loaded.state_dict()[f"{name}.running_var"].numpy()
    np.testing.assert_allclose(statistic, model.blobs[name][3], rtol=1e-5)


def test_outputs_and_open_batches(tmp_path: Path) -> None:
    write_caffemodel(str(tmp_path / "w"), model_of(TEXT))
    model = onnx.load(converted(str(tmp_path / "w"), "onnx", tmp_path, outputs=("data", "conv"), dynamic_batch=True))

    shape = model.graph.output[1].type.tensor_type.shape
    assert [one.name for one in model.graph.output] == ["data", "conv"]
    assert (shape.dim[0].dim_param, shape.dim[1].dim_value) == ("N", 4)


def test_a_dialect_that_the_file_does_not_speak_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DialectError, match="speaks the srn_fork dialect, not bvlc as asked"):
        converted(RELEASED, "torch", tmp_path, source_dialect="bvlc")


def test_the_source_is_not_overwritten(tmp_path: Path) -> None:
    write_caffemodel(str(tmp_path / "w.caffemodel"), model_of(TEXT))
    with pytest.raises(
        FormatError, match=r"w\.caffemodel: expected another file than the source; name the target with"
    ):
        convert(str(tmp_path / "w.caffemodel"), "caffemodel")


def test_a_link_to_itself_is_told(tmp_path: Path) -> None:
    (tmp_path / "w.caffemodel").symlink_to("w.caffemodel")
    with pytest.raises(FormatError, match=r"w\.caffemodel: cannot be read \(Too many levels of symbolic links\)"):
        convert(str(tmp_path / "w.caffemodel"), "torch")


def test_targets_lie_beside_the_source_by_default(tmp_path: Path) -> None:
    write_caffemodel(str(tmp_path / "w.caffemodel"), model_of(TEXT))
    made = [
        convert(str(tmp_path / "w.caffemodel"), to, None, Options(check=False)).path
        for to in ("safetensors", "torch", "onnx", "hdf5", "prototxt")
    ]
    made.append(convert(str(tmp_path / "w.caffemodel"), "caffemodel", None, Options(dialect="srn_fork")).path)

    assert [Path(path).name for path in made] == [
        "w.safetensors",
        "w.pt",
        "w.onnx",
        "w.caffemodel.h5",
        "w_deploy.prototxt",
        "w_srn_fork.caffemodel",
    ]
    assert all(Path(path).is_file() for path in made)


def test_without_the_package_onnx_is_not_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "caffe_compat.convert.onnx.export", None)
    monkeypatch.delattr("caffe_compat.convert.onnx.export", raising=False)
    write_caffemodel(str(tmp_path / "w"), model_of(TEXT))
    with pytest.raises(
        MissingFeatureError, match=r"out\.onnx: ONNX needs the package '.*': pip install onnx onnxruntime"
    ):
        converted(str(tmp_path / "w"), "onnx", tmp_path)


@pytest.mark.parametrize("to", ["prototxt", "caffemodel"])
def test_nets_of_a_third_caffe_keep_its_fields(to: str, tmp_path: Path) -> None:
    layer = 'layer { name: "p" type: "Permute" bottom: "conv" top: "p" permute_param { order: 0 order: 2 } }'
    source = str(tmp_path / "ssd.caffemodel")
    write_caffemodel(source, model_of(TEXT + layer), "own")

    done = convert(source, to, str(tmp_path / f"out.{to}"), Options())

    assert "written with layer types or fields that neither BVLC's Caffe nor the SRN fork has" in done.report.notes
    net = read_net(done.path) if to == "prototxt" else read_caffemodel(done.path).net
    assert list(net.layer[2].permute_param.order) == [0, 2]
    with pytest.raises(
        DialectError, match=r"ssd\.caffemodel: layer 'p' \(Permute\): Caffe of the bvlc dialect has no layer of this"
    ):
        convert(source, to, str(tmp_path / f"bvlc.{to}"), Options(dialect="bvlc"))


def test_a_file_of_before_stays_where_the_check_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("caffe_compat.convert.onnx.check.TOLERANCE", -1.0)
    (tmp_path / "out.onnx").write_text("before")
    with pytest.raises(FormatError, match=r"out\.onnx: onnxruntime's '.*' differs from ours by"):
        converted(BVLC_STEP, "onnx", tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["out.onnx"]
    assert (tmp_path / "out.onnx").read_text() == "before"


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"rename": "readable"}, "--rename readable"),
        ({"norm": "bn"}, "--norm bn"),
        ({"bn_statistics": "inverse_deviation"}, "--bn-statistics inverse_deviation"),
    ],
)
def test_what_needs_the_net_is_not_left_out_in_silence(options: dict[str, str], what: str, tmp_path: Path) -> None:
    source = str(GOLDENS / "bvlc" / "solvers" / "sgd_hdf5" / "s_iter_10.caffemodel.h5")
    with pytest.raises(
        FormatError, match=rf"\.h5: {what} needs the net, but the file holds weights by layer name only"
    ):
        converted(source, "caffemodel", tmp_path, **options)


@pytest.mark.parametrize("option", ["prototxt", "rename"])
def test_no_file_that_is_read_is_written_over(option: str, tmp_path: Path) -> None:
    path = tmp_path / "given"
    path.write_text("before")
    options: dict[str, Any] = {option: str(path)}
    with pytest.raises(FormatError, match=r"given: expected another file than the source; name the target with --out"):
        convert(BVLC_STEP, "prototxt", str(path), Options(**options))
    assert path.read_text() == "before"


UNFILLED = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "new" type: "InnerProduct" bottom: "ip" top: "new"
  inner_product_param { num_output: 4 weight_filler { type: "xavier" } bias_filler { value: 0.5 } } }
layer { name: "product" type: "Scale" bottom: "new" bottom: "new" top: "product" scale_param { axis: 0 } }
layer { name: "unit" type: "Normalize" bottom: "product" top: "unit" }
"""


@pytest.mark.parametrize("to", ["onnx", "safetensors", "caffemodel"])
def test_layers_without_weights_are_named(to: str, tmp_path: Path) -> None:
    prototxt, weights = tmp_path / "n.prototxt", str(tmp_path / "w.caffemodel")
    prototxt.write_text(UNFILLED)
    write_caffemodel(weights, model_of(UNFILLED[: UNFILLED.index('layer { name: "new"')]))
    out = str(tmp_path / "o.file")
    message = (
        rf"^{weights}: expected weights of all layers of {prototxt} that learn, found none of new; give the weights"
    )
    with pytest.raises(GraphError, match=message):
        convert(weights, to, out, Options(prototxt=str(prototxt)))
    done = convert(weights, to, out, Options(prototxt=str(prototxt), allow_unfilled=True))
    row = next(row for row in done.rows if row.target == "new")
    assert row.done == f"from {prototxt}; no weights in {weights}: as its fillers drew"
    assert row.target_shapes == [(4, 3), (4,)]


def test_a_layer_that_shares_all_its_weights_is_filled(tmp_path: Path) -> None:
    shared = 'param { name: "w" } param { name: "b" } inner_product_param { num_output: 3 } }'
    text = UNFILLED[: UNFILLED.index('layer { name: "ip"')]
    text += f'layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "ip" {shared}'
    more = f'layer {{ name: "twin" type: "InnerProduct" bottom: "ip" top: "twin" {shared}'
    (tmp_path / "n.prototxt").write_text(text + more)
    write_caffemodel(str(tmp_path / "w.caffemodel"), model_of(text))
    done = convert(str(tmp_path / "w.caffemodel"), "onnx", options=Options(prototxt=str(tmp_path / "n.prototxt")))
    assert Path(done.path).exists()
