import pytest

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects.detect import detect, misfits, net_misfits
from caffe_compat.proto.dialects.translate import encode_net
from caffe_compat.proto.text import parse_text


def encoded(text: str, dialect: str) -> bytes:
    return encode_net(parse_text(text, caffe_pb2.NetParameter), dialect)


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ('layer { name: "a" type: "BN" bn_param { slope_filler { value: 1 } } }', "srn_fork"),
        ('layer { name: "a" type: "BN" }', "srn_fork"),
        ('layer { name: "a" type: "Mine" bn_param { momentum: 0.5 } }', "srn_fork"),
        ('layer { name: "a" type: "Mine" bn_param { slope_filler { value: 1 } } }', "srn_fork"),
        ('layer { name: "a" type: "Scale" scale_param { axis: 2 } }', "srn_fork"),
        ('layer { name: "a" type: "Scale" scale_param { axis: 2 } }', "bvlc"),
        ('layer { name: "a" type: "Embed" embed_param { num_output: 3 weight_filler { value: 1 } } }', "bvlc"),
        ('layer { name: "a" type: "ELU" elu_param { alpha: 2 } }', "bvlc"),
        ('layer { name: "a" type: "Data" data_param { source: "x" prefetch: 8 } }', "bvlc"),
        ('layer { name: "a" type: "Tile" tile_param { tiles: 2 } }', "srn_fork"),
        ('layer { name: "a" type: "BatchNorm" }', "bvlc"),
        ('layer { name: "a" type: "ReLU" }', "bvlc"),
    ],
)
def test_detects_the_dialect_it_was_written_in(text, dialect) -> None:
    assert detect(encoded(text, dialect)) == (dialect, [])


def test_names_fields_that_do_not_fit() -> None:
    data = encoded('layer { name: "a" type: "BN" bn_param { momentum: 0.5 frozen: true } }', "srn_fork")
    assert misfits(caffe_pb2.NetParameter.DESCRIPTOR, data) == [
        "EmbedParameter.bias_term",
        "EmbedParameter.bias_filler",
    ]


def test_unpacked_and_packed_lists_both_fit() -> None:
    descriptor = caffe_pb2.BlobProto.DESCRIPTOR
    assert misfits(descriptor, b"\x2d\x00\x00\x80\x3f") == []
    assert misfits(descriptor, b"\x2a\x04\x00\x00\x80\x3f") == []
    assert misfits(descriptor, b"\x0d\x00\x00\x80\x3f") == ["BlobProto.num"]


def test_bytes_that_are_no_message_do_not_fit_a_message() -> None:
    assert misfits(caffe_pb2.BlobProto.DESCRIPTOR, b"\x3a\x02\xff\xff") == ["BlobProto.shape"]


def test_what_protobuf_writes_in_another_way_still_fits() -> None:
    in_another_order = b"\xa2\x06\x09" + b"\x12\x04ReLU" + b"\x0a\x01a" + b"\x0a\x01n"
    assert detect(in_another_order) == ("bvlc", [])


def test_a_bool_that_is_no_bool_does_not_fit() -> None:
    """DataParameter 10: BVLC's prefetch of 4 batches would be the fork's shuffle."""
    net = caffe_pb2.NetParameter()
    net.layer.add(name="d", type="Data").data_param.prefetch = 4
    assert net_misfits(net.SerializeToString(), "srn_fork") == ["DataParameter.shuffle"]
    assert net_misfits(net.SerializeToString(), "bvlc") == []
