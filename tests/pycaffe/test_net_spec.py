"""Nets as Python."""

import copy
from typing import Any

import pytest
from google.protobuf import text_format

from caffe_compat.errors import FieldError
from caffe_compat.proto import caffe_pb2
from caffe_compat.pycaffe.net_spec import NetSpec, Top, assign_proto, layers, param_name_dict, params, to_proto

L, P = layers, params


def parsed(text: str) -> caffe_pb2.NetParameter:
    return text_format.Parse(text, caffe_pb2.NetParameter())


def test_names_come_from_the_spec() -> None:
    n = NetSpec()
    n.data, n.label = L.Data(source="db", batch_size=4, ntop=2, include={"phase": 0}, transform_param={"scale": 0.5})
    n.conv = L.Convolution(n.data, kernel_size=[3, 5], num_output=6, weight_filler={"type": "xavier"})
    n["relu"] = L.ReLU(n.conv, in_place=True)
    n.pool = L.Pooling(n["relu"], pool=P.Pooling.AVE, kernel_size=2, stride=2)
    n.loss = L.SoftmaxWithLoss(
        n.pool, n.label, loss_weight=3, loss_param={"ignore_label": 255}, param=[{}, {"lr_mult": 2}]
    )
    assert n.to_proto() == parsed(
        """
        layer { name: 'data' type: 'Data' top: 'data' top: 'label' data_param { source: 'db' batch_size: 4 }
          include { phase: TRAIN } transform_param { scale: 0.5 } }
        layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv'
          convolution_param { kernel_size: 3 kernel_size: 5 num_output: 6 weight_filler { type: 'xavier' } } }
        layer { name: 'relu' type: 'ReLU' bottom: 'conv' top: 'conv' }
        layer { name: 'pool' type: 'Pooling' bottom: 'conv' top: 'pool'
          pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
        layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'pool' bottom: 'label' top: 'loss' loss_weight: 3
          loss_param { ignore_label: 255 } param { } param { lr_mult: 2 } }
        """
    )


def test_layers_without_names_are_numbered_by_type() -> None:
    data = L.Input()
    first, second = L.ReLU(data), L.ReLU(L.Power(data), in_place=True)
    net = L.Concat(first, second).to_proto()
    assert [layer.name for layer in net.layer] == ["Input1", "ReLU1", "Power1", "ReLU2", "Concat1"]
    assert list(net.layer[3].top) == ["Power1"]


def test_several_tops_make_one_net() -> None:
    data = L.Input()
    net = to_proto(L.ReLU(data), L.Silence(data, ntop=0), L.TanH(data))
    assert [layer.type for layer in net.layer] == ["Input", "ReLU", "Silence", "TanH"]


def test_layers_without_tops_have_names_too() -> None:
    n = NetSpec()
    n.data = L.Input()
    n.quiet = L.Silence(n.data, ntop=0)
    assert [(layer.name, list(layer.top)) for layer in n.to_proto().layer] == [("data", ["data"]), ("quiet", [])]


@pytest.mark.parametrize("kind", ["Normalize", "NormalizeBBox"])
def test_ssds_normalize_takes_its_fields(kind: str) -> None:
    made = getattr(L, kind)(L.Input(), across_spatial=False, scale_filler={"value": 20}).to_proto().layer[1]
    assert made.type == kind
    assert not made.norm_param.across_spatial
    assert made.norm_param.scale_filler.value == 20


def test_deep_nets_do_not_recurse() -> None:
    top = L.Input()
    for _ in range(3000):
        top = L.ReLU(top)
    assert len(top.to_proto().layer) == 3001


def test_a_spec_can_be_copied() -> None:
    n = NetSpec()
    n.data = L.Input(shape={"dim": 3})
    assert copy.deepcopy(n).to_proto() == n.to_proto()


def test_missing_tops_are_attribute_errors() -> None:
    assert not hasattr(NetSpec(), "conv1")
    with pytest.raises(AttributeError, match=r"^the NetSpec has no top 'conv1'"):
        _ = NetSpec().conv1
    with pytest.raises(KeyError):
        _ = NetSpec()["conv1"]


def test_only_tops_can_be_read() -> None:
    data = L.Data(ntop=2)
    with pytest.raises(TypeError, match=r"^Silence input 0 is not a Top \(type is <class 'tuple'>\)$"):
        L.Silence(data, ntop=0)
    assert all(isinstance(top, Top) for top in data)


def test_the_arguments_are_not_changed() -> None:
    fields = {"ntop": 2, "shape": {"dim": 3}}
    L.Input(**fields)
    assert fields == {"ntop": 2, "shape": {"dim": 3}}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"kernel_sise": 3},
            "layer type 'Convolution': convolution_param has no field 'kernel_sise'; did you mean 'kernel_size'",
        ),
        ({"convolution_param": {"pat": 1}}, "ConvolutionParameter has no field 'pat'; did you mean 'pad'"),
        ({"weight_filler": {"kind": "msra"}}, "FillerParameter has no field 'kind'$"),
        ({"engine": "CUDA"}, "engine has no value 'CUDA'; expected one of DEFAULT, CAFFE, CUDNN"),
        ({"foo_param": {}}, "LayerParameter has no field 'foo_param'"),
    ],
)
def test_unknown_fields_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError, match=f"^{message}"):
        L.Convolution(L.Input(), **fields).to_proto()


def test_values_become_fields() -> None:
    layer = caffe_pb2.LayerParameter()
    assign_proto(layer, "pooling_param", {"pool": "AVE", "kernel_size": 3})
    assign_proto(layer, "loss_weight", 0.5)
    assign_proto(layer, "include", [{"phase": 1}, {"stage": ("a", "b")}])
    assign_proto(layer, "relu_param", {})
    expected = (
        "pooling_param { pool: AVE kernel_size: 3 } loss_weight: 0.5 include { phase: TEST } "
        "include { stage: 'a' stage: 'b' } relu_param { }"
    )
    assert layer == text_format.Parse(expected, caffe_pb2.LayerParameter())


def test_unknown_messages_of_enums_are_attribute_errors() -> None:
    assert P.Eltwise.MAX == caffe_pb2.EltwiseParameter.MAX
    with pytest.raises(AttributeError, match=r"^no message 'PolingParameter'"):
        _ = P.Poling


def test_types_know_their_fields() -> None:
    names = param_name_dict()
    assert (names["Convolution"], names["LRN"], names["BN"]) == ("convolution", "lrn", "bn")
    assert "SoftmaxWithLoss" not in names


def test_what_ssds_net_spec_also_has() -> None:
    n = NetSpec()
    n.data = layers.Input(shape={"dim": [1, 2, 5, 5]})
    n.conv = layers.Convolution(n.data, num_output=3, kernel_size=3)
    n.gone = layers.ReLU(n.conv)
    assert n.keys() == ["data", "conv", "gone"]
    assert n.vals()[1] is n.conv
    del n["gone"]
    n.update("conv", {"num_output": 4, "param": [{"lr_mult": 2}]})
    assert [layer.name for layer in n.to_proto().layer] == ["data", "conv"]
    assert n.to_proto().layer[1].convolution_param.num_output == 4
    assert n.to_proto().layer[1].param[0].lr_mult == 2
    n.update = layers.ReLU(n.conv)
    assert n.update is n.tops["update"]
