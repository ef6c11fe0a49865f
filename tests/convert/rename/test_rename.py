import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caffe_compat.convert.formats.caffemodel import read_caffemodel
from caffe_compat.convert.forms.deploy_form import deploy_form
from caffe_compat.convert.forms.train_form import is_automatic
from caffe_compat.convert.model import Model, assemble
from caffe_compat.convert.rename.rename import read_names, readable_names, rename
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import FormatError, GraphError
from caffe_compat.graph.builder import filter_net
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.upgrade import upgrade_net
from prototxt_gen.files import generate
from tests.convert.models import RELEASED, model_of

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "relu" type: "ReLU" bottom: "ip" top: "ip" }
layer { name: "sum" type: "Eltwise" bottom: "ip" bottom: "data" top: "sum" }
"""


def renamed(model: Model, how: str) -> tuple[Model, dict[str, str]]:
    report = ConversionReport(model)
    made = rename(model, how, report)
    return made, {row.source or row.target: row.done for row in report.rows(made)}


def names(folder: Path, text: str) -> str:
    path = folder / "names.txt"
    path.write_text(text)
    return str(path)


def test_layers_blobs_and_weights_follow(tmp_path: Path) -> None:
    model = model_of(TEXT)
    made, done = renamed(model, names(tmp_path, "ip fc\ndata image  # the input"))

    assert [(layer.name, list(layer.bottom), list(layer.top)) for layer in made.net.layer] == [
        ("image", [], ["image"]),
        ("fc", ["image"], ["fc"]),
        ("relu", ["fc"], ["fc"]),
        ("sum", ["fc", "image"], ["sum"]),
    ]
    assert made.blobs["fc"] is model.blobs["ip"]
    assert (done["ip"], done["relu"]) == ("renamed", "kept")
    assert list(model.net.layer[1].top) == ["ip"]


def test_the_released_structure_computes_the_same_under_readable_names() -> None:
    model = read_caffemodel(RELEASED)
    made, done = renamed(model, "readable")
    old, new = assemble(deploy_form(model)), assemble(deploy_form(made))

    assert new.outputs == ("y", "y_att")
    assert [step.layer.spec.type for step in new.steps] == [step.layer.spec.type for step in old.steps]
    for one, other in zip(old.steps, new.steps, strict=True):
        assert one.top_shapes == other.top_shapes
        for blob, same in zip(one.layer.blobs, other.layer.blobs, strict=True):
            np.testing.assert_array_equal(blob.detach(), same.detach())
    assert done["caffe.Eltwise_304"] == "renamed"


def test_splits_are_those_that_caffe_makes_of_the_new_names() -> None:
    model = read_caffemodel(RELEASED)
    made, done = renamed(model, "readable")
    splits = [layer for layer in made.net.layer if layer.type == "Split"]

    assert all(map(is_automatic, splits))
    assert len(splits) == sum(layer.type == "Split" for layer in model.net.layer)
    assert "res4b22_res4b22_0_split" in [layer.name for layer in splits]
    assert all(layer.HasField("phase") for layer in splits)
    assert done["res4b22_res4b22_0_split"] == "a Split for the new names"
    assert done["caffe.Eltwise_304_caffe.Eltwise_304_0_split"] == "dropped: made anew for the new names"
    assert list(made.net.input) == ["data"]


def test_a_net_without_roles_is_kept_and_the_report_says_so() -> None:
    model = model_of(TEXT.replace('type: "Eltwise"', 'type: "Concat"'))
    report = ConversionReport(model)
    made = rename(model, "readable", report)

    assert made.net == model.net
    assert report.notes[-1] == (
        "no residual blocks (two paths that meet in an Eltwise sum) and no attention map to name: "
        "every layer keeps its name (--rename FILE gives others)"
    )
    assert {row.done for row in report.rows(made)} == {"no known role, name kept"}


def test_layers_of_one_name_stay_together(tmp_path: Path) -> None:
    """A net for both phases has two layers called data."""
    model = model_of(TEXT)
    model.net.layer.insert(1, model.net.layer[0])
    made, _ = renamed(model, names(tmp_path, "data image"))

    assert [layer.name for layer in made.net.layer] == ["image", "image", "ip", "relu", "sum"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ip relu", r"names\.txt: expected names that are unique after renaming, found two layers 'relu'"),
        ("ip fc\nsum fc", r"names\.txt: expected names that are unique after renaming, found two layers 'fc'"),
        ("ipp fc", r"names\.txt: no layer or blob 'ipp' in net\.caffemodel; leave it out, or mend its spelling"),
    ],
)
def test_names_that_do_not_fit_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(GraphError, match=message):
        renamed(model_of(TEXT), names(tmp_path, text))


def test_blobs_of_one_name_are_refused(tmp_path: Path) -> None:
    model = model_of(TEXT.replace('top: "sum"', 'top: "total"'))
    with pytest.raises(GraphError, match="unique after renaming, found two blobs 'fc'"):
        renamed(model, names(tmp_path, "ip fc\ntotal fc"))


@pytest.mark.parametrize("text", ["\ufeffa b\r\nc d\r\n", "# new names\na b\n\nc\td # why\n", ' {"a": "b", "c": "d"}'])
def test_lines_and_json(text: str, tmp_path: Path) -> None:
    (tmp_path / "n").write_text(text, encoding="utf-8")
    names = read_names(str(tmp_path / "n"))

    assert names.layers == names.blobs == {"a": "b", "c": "d"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b\nc\n", "n: line 2: expected an old and a new name, found 1 words"),
        ("a b\na c\n", "n: line 2: 'a' has a new name already, 'b'"),
        ("{", "n: expected a JSON object of old and new names, found bad JSON: "),
        ('{"a": 1}', "n: expected a string as the new name of 'a', found 1"),
        ('{"a": ""}', "n: expected a string as the new name of 'a', found \"\""),
        ('{"a": "b", "a": "c"}', "n: 'a' has a new name already, 'b'"),
        ('{"a": ' + "[" * 100_000, "n: expected a JSON object of old and new names, found bad JSON: "),
        ("# nothing\n", "n: expected old and new names, found none; write lines 'old new'"),
        ("{}", "n: expected old and new names, found none; write lines 'old new'"),
    ],
)
def test_other_text_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "n").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_names(str(tmp_path / "n"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="n: no such file; expected a file of names"):
        read_names(str(tmp_path / "n"))


def nets(**options: Any) -> dict[str, Model]:
    """The generated TRAIN nets and deploy nets of a request."""
    made = generate(dataset="wider_att", width=8, **options)
    models = {}
    for name, message in made.items():
        if isinstance(message, caffe_pb2.NetParameter):
            net = caffe_pb2.NetParameter()
            net.CopyFrom(message)
            upgrade_net(net)
            models[name] = Model(filter_net(net, caffe_pb2.NetState(phase="TRAIN")), {}, "bvlc", name)
    return models


CASES = [
    *itertools.product(["resnet101_srn"], ["resnet", "preresnet"], ["batchnorm", "bn"], [26, 101], ["none", "bn"]),
    *itertools.product(["resnet101_srn"], ["resnet"], ["batchnorm"], [50, 152], ["none"]),
    *itertools.product(
        ["resnet101", "resnet107", "resnet101_semantic", "resnet101_srn_att"],
        ["preresnet"],
        ["batchnorm"],
        [101],
        ["none"],
    ),
]


@pytest.mark.parametrize(("model", "backbone", "norm", "depth", "head_norm"), CASES)
def test_generated_nets_have_these_names(model: str, backbone: str, norm: str, depth: int, head_norm: str) -> None:
    """Every layer of every step of every model: a name that the walk finds is the generator's."""
    for file, net in nets(model=model, backbone=backbone, norm=norm, depth=depth, head_norm=head_norm).items():
        names = readable_names(net)
        for layer in net.net.layer:
            if layer.type not in ("Data", "Input", "Silence"):
                assert names.layers.get(layer.name) == layer.name, (file, layer.name)
        assert all(old == new for old, new in names.blobs.items()), file


@pytest.mark.parametrize("norm", ["batchnorm", "bn"])
def test_the_released_backbone_gets_the_generators_names(norm: str) -> None:
    released = nets(model="resnet101_srn", layout="released", norm=norm, step="test")
    paper = nets(model="resnet101_srn", layout="paper", backbone="preresnet", norm=norm, step="test")
    (released_net,), (paper_net,) = released.values(), paper.values()
    names = readable_names(released_net)
    renamed = [names.layers.get(layer.name, layer.name) for layer in released_net.net.layer]
    wanted = [layer.name for layer in paper_net.net.layer]

    backbone = wanted[: wanted.index("cls_fc")]
    assert [name for name in renamed if name in backbone] == backbone
    # In the released structure these three are other layers.
    assert set(wanted) - set(renamed) <= {"silence"}


def test_known_layers_of_the_released_structure() -> None:
    names = readable_names(read_caffemodel(RELEASED))
    known = {
        "caffe.SpatialConvolution_0": "conv1",
        "caffe.Pooling_3": "pool1",
        "caffe.Eltwise_32": "res2c",
        "caffe.Eltwise_73": "res3b3",
        "caffe.Eltwise_304": "res4b22",
        "caffe.BN_305": "bn4b22",
        "caffe.ReLU_306": "res4b22_relu",
        "caffe.SpatialConvolution_314": "res5a_branch1",
        "caffe.Eltwise_335": "res5c",
        "caffe.Flatten_339": "pool5_flat",
        "caffe.InnerProduct_340": "cls_fc",
        "att.BN_1": "bn_att_res0",
        "att.Conv_16": "att_res2_branch2b",
        "att.Eltwise_20": "att_res2",
        "att.att_Conv_1": "att_conv1",
        "att.att_Softmax_5": "att_softmax",
        "att.att_Reshape_6": "att_map",
        "att.feat_Conv_1": "srn_feat1",
        "att.feat_Conv_2": "srn_conv1",
        "comb.comb_Eltwise_0": "srn_weighted",
        "comb.comb_Conv_3": "srn_conv4",
        "comb.comb_InnerProduct_4": "srn_fc",
        "prob": "y",
    }

    assert {old: names.layers[old] for old in known} == known
    assert (names.blobs["caffe.InnerProduct_340"], names.blobs["comb.comb_InnerProduct_4"]) == ("y_cls", "y_sr")


def test_no_name_is_looked_up() -> None:
    """With every layer and blob called something else, the same roles come out."""
    model = read_caffemodel(RELEASED)
    expected = readable_names(model)
    other = caffe_pb2.NetParameter()
    other.CopyFrom(model.net)
    numbers = {name: f"x{number}" for number, name in enumerate({blob for layer in other.layer for blob in layer.top})}
    numbers["data"] = "data"
    for index, layer in enumerate(other.layer):
        if layer.type != "Split":
            layer.name = f"layer{index}"
    plain = [layer for layer in other.layer if layer.type != "Split"]
    whole = {top: layer.bottom[0] for layer in other.layer if layer.type == "Split" for top in layer.top}
    for layer in plain:
        layer.bottom[:] = [numbers[whole.get(blob, blob)] for blob in layer.bottom]
        layer.top[:] = [numbers[blob] for blob in layer.top]
    found = readable_names(Model(other, {}, "srn_fork", "x").with_layers(plain, {}))

    assert sorted(found.layers.values()) == sorted(expected.layers.values())


CHAIN = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 5 } } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 7 kernel_size: 2 } }
layer { name: "fc6" type: "InnerProduct" bottom: "c" top: "fc6" inner_product_param { num_output: 8 } }
layer { name: "relu6" type: "ReLU" bottom: "fc6" top: "fc6" }
layer { name: "drop6" type: "Dropout" bottom: "fc6" top: "fc6" }
layer { name: "fc7" type: "InnerProduct" bottom: "fc6" top: "fc7" inner_product_param { num_output: 4 } }
"""
HEAD = """
layer { name: "a" type: "Convolution" bottom: "c" top: "a" convolution_param { num_output: 4 kernel_size: 1 } }
layer { name: "f" type: "Reshape" bottom: "a" top: "f" reshape_param { shape { dim: 0 dim: 0 dim: -1 } } }
layer { name: "s" type: "Softmax" bottom: "f" top: "s" softmax_param { axis: 2 } }
layer { name: "m" type: "Reshape" bottom: "s" top: "m" reshape_param { shape { dim: 0 dim: 0 dim: 5 dim: -1 } } }
layer { name: "g" type: "Convolution" bottom: "m" top: "g" convolution_param { num_output: 9 kernel_size: 1 } }
layer { name: "h" type: "InnerProduct" bottom: "g" top: "h" inner_product_param { num_output: 4 } }
"""


def test_a_net_without_blocks_keeps_its_names() -> None:
    names = readable_names(model_of(CHAIN))
    assert (names.layers, names.blobs) == ({}, {})


def test_heads_are_named_on_a_backbone_without_blocks() -> None:
    assert readable_names(model_of(CHAIN + HEAD)).layers == {
        "fc7": "cls_fc",
        "a": "att_conv1",
        "f": "att_flat",
        "s": "att_softmax",
        "m": "att_map",
        "g": "srn_conv2",
        "h": "srn_fc",
    }


def test_a_name_that_is_taken_is_not_given_twice() -> None:
    """Two classifiers behind the attention map, and a layer that is called like a role."""
    net = model_of(CHAIN + HEAD.replace('"m"', '"att_conv1"') + HEAD.splitlines()[-1].replace('"h"', '"i"'))
    names = readable_names(net)
    layers = [names.layers.get(layer.name, layer.name) for layer in net.net.layer]

    assert (names.layers["a"], names.layers["att_conv1"]) == ("att_conv1", "att_map")
    assert (names.layers["h"], names.layers.get("i")) == ("srn_fc", None)
    assert len(set(layers)) == len(layers)
    assert len(set(names.blobs.values())) == len(names.blobs)


def test_a_layer_without_a_role_keeps_its_name_against_one_with() -> None:
    net = model_of((CHAIN + HEAD).replace('"c"', '"srn_fc"'))
    names = readable_names(net)
    assert "h" not in names.layers
    assert names.layers["fc7"] == "cls_fc"
