from pathlib import Path

import pytest
from google.protobuf import text_format

from caffe_compat.convert.formats.caffemodel import read_caffemodel
from caffe_compat.convert.forms.train_form import is_automatic, train_form, undo_splits
from caffe_compat.convert.model import Model
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import FormatError
from caffe_compat.graph.builder import filter_net, insert_splits
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_net
from tests.convert.models import GOLDENS, RELEASED

FILES = [path for path in sorted(GOLDENS.rglob("*.caffemodel")) if (path.parent / "net.prototxt").exists()]


def test_every_recorded_net_is_rebuilt() -> None:
    for path in FILES:
        rebuilt = train_form(read_caffemodel(str(path))).net
        original = filter_net(read_net(path.parent / "net.prototxt"), state_of(path))
        assert plain(rebuilt) == plain(original), path
    assert len(FILES) > 100


def state_of(path: Path) -> caffe_pb2.NetState:
    return caffe_pb2.NetState(phase="TEST" if path.parent.name == "TEST" else "TRAIN")


def plain(net: caffe_pb2.NetParameter) -> list[caffe_pb2.LayerParameter]:
    """What Caffe saves of a net: neither inputs' shapes nor a layer's own rates of running statistics."""
    layers = []
    for layer in net.layer:
        copy = caffe_pb2.LayerParameter()
        copy.CopyFrom(layer)
        if layer.type in ("BN", "BatchNorm"):
            copy.ClearField("param")
        if layer.type != "Input":
            layers.append(copy)
    return layers


def test_the_report_says_which_layers_were_caffes() -> None:
    model = read_caffemodel(RELEASED)
    report = ConversionReport(model)
    rows = report.rows(train_form(model, report))

    dropped = [row for row in rows if not row.target]
    assert len(dropped) == sum(layer.type == "Split" for layer in model.net.layer) > 30
    assert {row.done for row in dropped} == {"dropped: Caffe adds its Splits itself"}


def test_bare_weights_have_no_net() -> None:
    net = caffe_pb2.NetParameter(layer=[caffe_pb2.LayerParameter(name="a")])
    with pytest.raises(
        FormatError, match=r"^w\.h5: a prototxt needs the net, but the file holds weights by layer name"
    ):
        train_form(Model(net, {}, "bvlc", "w.h5"))


TEXT = """
layer { name: "data" type: "Input" top: "data" }
layer { name: "conv.1" type: "Convolution" bottom: "data" top: "c" loss_weight: 0.5 }
layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }
layer { name: "own" type: "Split" bottom: "c" top: "own_a" top: "own_b" }
layer { name: "sum" type: "Eltwise" bottom: "own_a" bottom: "data" top: "sum" }
layer { name: "a" type: "TanH" bottom: "sum" top: "a" }
layer { name: "b" type: "TanH" bottom: "sum" top: "b" }
"""


def test_it_is_the_inverse_of_inserting() -> None:
    net = text_format.Parse(TEXT, caffe_pb2.NetParameter())
    split = insert_splits(net)

    assert [layer.name for layer in split.layer if is_automatic(layer)] == [
        "data_data_0_split",
        "c_conv.1_0_split",
        "sum_sum_0_split",
    ]
    assert undo_splits(split.layer) == list(net.layer)


def test_a_loss_weight_goes_back_to_its_top() -> None:
    text = 'layer { name: "l" type: "Slice" bottom: "x" top: "a" top: "b" loss_weight: 0 loss_weight: 2 }'
    text += 'layer { name: "r" type: "TanH" bottom: "b" top: "r" }'
    net = text_format.Parse('layer { name: "x" type: "Input" top: "x" }' + text, caffe_pb2.NetParameter())

    assert list(undo_splits(insert_splits(net).layer)[1].loss_weight) == [0, 2]
