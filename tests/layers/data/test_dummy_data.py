"""DummyData."""

import pytest
import torch
from google.protobuf import text_format

from caffe_compat.engine.create import create_engine
from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Layer
from caffe_compat.net.build import build_net
from caffe_compat.proto import caffe_pb2
from tests.layers.data.made_layers import make_layer

ERROR = r"^layer 'data' \(DummyData\): "


def dummy(text: str, tops: int = 2) -> Layer:
    return make_layer(f"type: 'DummyData' dummy_data_param {{ {text} }}", tops=tops)


def test_a_shape_and_a_filler_for_all_tops() -> None:
    layer = dummy("shape { dim: 2 dim: 3 } data_filler { value: 4 }")
    assert layer.top_shapes() == [(2, 3), (2, 3)]
    assert all(torch.equal(top, torch.full((2, 3), 4.0)) for top in layer())


def test_one_each() -> None:
    layer = dummy(
        "shape { dim: 2 dim: 3 } shape { dim: 4 }"
        " data_filler { type: 'uniform' min: 5 max: 6 } data_filler { type: 'constant' value: -1 }"
    )
    first, second = layer()
    assert ((first >= 5) & (first < 6)).all()
    assert torch.equal(second, torch.full((4,), -1.0))


def test_legacy_sizes_and_no_filler() -> None:
    layer = dummy("num: 2 channels: 3 channels: 1 height: 4 width: 5 width: 6")
    assert layer.top_shapes() == [(2, 3, 4, 5), (2, 1, 4, 6)]
    assert not any(top.any() for top in layer())


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_random_tops_are_filled_anew_and_constants_stay_as_the_user_leaves_them(engine: str) -> None:
    text = """layer { name: "data" type: "DummyData" top: "random" top: "constant" dummy_data_param {
      shape { dim: 50 } data_filler { type: "gaussian" std: 2 } data_filler { value: 3 } } }"""
    net = build_net(text_format.Parse(text, caffe_pb2.NetParameter()), caffe_pb2.NetState())
    assert (net.blobs["constant"].data == 3).all()  # at set-up, as in Caffe
    created = create_engine(engine, net)
    created.forward()
    first = net.blobs["random"].data.copy()
    net.blobs["constant"].data[7] = 100
    for _ in range(2):
        created.forward()
        assert net.blobs["constant"].data[6:9].tolist() == [3, 100, 3]
    assert (net.blobs["random"].data != first).any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "shape { dim: 2 } data_filler {} data_filler {} data_filler {}",
            r"number of data fillers must be 0, 1 or equal",
        ),
        ("shape { dim: 2 } num: 3", r"both shape and legacy fields \(num, channels, height, width\) were specified"),
        ("num: 2 channels: 3 height: 4", r"must specify 'width' once, or once per top blob \(2\); specified 0"),
        ("", r"must specify 'shape' once, or once per top blob \(2\); specified 0"),
    ],
)
def test_refuses_what_does_not_fit(text: str, message: str) -> None:
    with pytest.raises(FieldError, match=ERROR + message):
        dummy(text)
