from types import ModuleType
from typing import cast

import pytest
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from caffe_compat.errors import DialectError, FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from caffe_compat.proto.dialects.translate import (
    copy_fields,
    decode_net,
    detect,
    dialect_of,
    encode_net,
    in_dialect,
    net_misfits,
)
from caffe_compat.proto.text import parse_text
from caffe_compat.proto.wire import misfits


def descriptor_of(message: type[Message]) -> Descriptor:
    """The schema of a message, of the one type that protobuf's stubs give it elsewhere."""
    return cast(Descriptor, message.DESCRIPTOR)


def net(text: str) -> caffe_pb2.NetParameter:
    return parse_text(f'name: "n" {text}', caffe_pb2.NetParameter)


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ('layer { name: "a" type: "ReLU" }', "bvlc"),
        ('layer { name: "a" type: "BN" }', "srn_fork"),
        ('layer { name: "a" type: "BatchNorm" }', "bvlc"),
        ('layer { name: "a" type: "ImageData" transform_param { multi_scale: true } }', "srn_fork"),
        ('layer { name: "a" type: "Data" data_param { shuffle: true } }', "srn_fork"),
        ("mem_param { optimize_train: false }", "srn_fork"),
        ('layer { name: "a" type: "BN" } layer { name: "b" type: "BatchNorm" }', "bvlc"),
    ],
)
def test_dialect_is_the_one_that_can_say_the_net(text: str, dialect: str) -> None:
    assert dialect_of(net(text)) == dialect


@pytest.mark.parametrize("dialect", ["bvlc", "srn_fork", "own"])
def test_nets_there_and_back(dialect: str) -> None:
    said = net('layer { name: "s" type: "Scale" scale_param { axis: 2 bias_term: true } } state { stage: "x" }')
    assert decode_net(encode_net(said, dialect), dialect) == said


def test_numbers_are_the_dialects_own() -> None:
    said = net('layer { name: "s" type: "Scale" scale_param { axis: 2 } }')
    assert srn_fork_pb2.NetParameter.FromString(encode_net(said, "srn_fork")).layer[0].scale_param.axis == 2
    assert bvlc_pb2.NetParameter.FromString(encode_net(said, "bvlc")).layer[0].scale_param.axis == 2


def test_own_dialect_says_everything() -> None:
    said = net('layer { name: "p" type: "Permute" permute_param { order: 1 } bn_param { } elu_param { } }')
    assert decode_net(encode_net(said, "own"), "own") == said


@pytest.mark.parametrize(
    ("text", "dialect", "message"),
    [
        (
            'layer { name: "a" type: "BN" }',
            "bvlc",
            r"^layer 'a' \(BN\): Caffe of the bvlc dialect has no layer of this",
        ),
        (
            'layer { name: "a" type: "ELU" }',
            "srn_fork",
            r"^layer 'a' \(ELU\): Caffe of the srn_fork .* 'bvlc', or exch",
        ),
        (
            'layer { name: "a" type: "Gather" }',
            "bvlc",
            r"^layer 'a' \(Gather\): Caffe of the bvlc dialect has no layer of this type; write dialect 'srn_fork', or",
        ),
        (
            'layer { name: "a" type: "BatchReindex" }',
            "srn_fork",
            r"^layer 'a' \(BatchReindex\): Caffe of the srn_fork dialect has no layer of this .* 'bvlc', or exch",
        ),
        (
            'layer { name: "a" type: "Axpy" }',
            "bvlc",
            r"^layer 'a' \(Axpy\): Caffe of the bvlc dialect has no layer of this type \(known to SENet\); "
            r"write dialect 'own', or exchange the layer$",
        ),
        ("", "caffe2", "^no dialect 'caffe2'; choose from auto, bvlc, srn_fork, own"),
    ],
)
def test_refuses_what_a_dialect_cannot_say(text: str, dialect: str, message: str) -> None:
    with pytest.raises(DialectError, match=message):
        encode_net(net(text), dialect)


@pytest.mark.parametrize("dialect", ["bvlc", "srn_fork"])
def test_types_that_are_not_ours_are_written_as_they_are(dialect: str) -> None:
    said = net('layer { name: "a" type: "MyOwn" }')
    assert decode_net(encode_net(said, dialect), dialect) == said


def test_refuses_to_write_without_required_fields() -> None:
    incomplete = caffe_pb2.NetParameter(name="n")
    incomplete.layer.add(name="c", type="Clip").clip_param.min = 0
    with pytest.raises(
        DialectError, match=r"^net 'n': Caffe requires layer\[0\].clip_param.max, which no value is set"
    ):
        in_dialect(incomplete, "bvlc")


def test_refuses_bytes_of_something_else() -> None:
    structure = b"\xa2\x06\x03\x0a\x05a"  # a layer whose name should have five letters
    with pytest.raises(FormatError, match=r"^not a NetParameter \("):
        decode_net(structure, "srn_fork")


def layer(text: str) -> caffe_pb2.LayerParameter:
    return parse_text(f'name: "conv" type: "Convolution" {text}', caffe_pb2.LayerParameter)


def test_moved_numbers_go_by_name() -> None:
    theirs = srn_fork_pb2.LayerParameter(name="b", type="BN")
    theirs.bn_param.momentum = 0.5
    theirs.scale_param.axis = 2
    ours = copy_fields(theirs, caffe_pb2.LayerParameter, "own")
    assert (ours.bn_param.momentum, ours.scale_param.axis) == (0.5, 2)
    assert copy_fields(ours, srn_fork_pb2.LayerParameter, "srn_fork") == theirs


def test_same_schema_is_not_copied() -> None:
    net = caffe_pb2.NetParameter()
    assert copy_fields(net, caffe_pb2.NetParameter, "own") is net


def test_lists_of_equal_values_become_one_value_and_back() -> None:
    ours = layer("convolution_param { kernel_size: [3, 3] pad: 1 }")
    theirs = copy_fields(ours, srn_fork_pb2.LayerParameter, "srn_fork")
    assert (theirs.convolution_param.kernel_size, theirs.convolution_param.pad) == (3, 1)
    assert list(copy_fields(theirs, caffe_pb2.LayerParameter, "own").convolution_param.kernel_size) == [3]
    solver = copy_fields(caffe_pb2.SolverParameter(device_id=[2]), bvlc_pb2.SolverParameter, "bvlc")
    assert solver.device_id == 2


def test_empty_messages_and_enums_are_said() -> None:
    ours = layer("relu_param { } pooling_param { pool: STOCHASTIC }")
    theirs = copy_fields(ours, srn_fork_pb2.LayerParameter, "srn_fork")
    assert theirs.HasField("relu_param")
    assert theirs.pooling_param.pool == srn_fork_pb2.PoolingParameter.STOCHASTIC


def test_unknown_fields_at_their_default_are_left_out() -> None:
    ours = layer("pooling_param { round_mode: CEIL } inner_product_param { transpose: false }")
    theirs = copy_fields(ours, srn_fork_pb2.LayerParameter, "srn_fork")
    assert theirs.HasField("pooling_param")


@pytest.mark.parametrize(
    ("text", "target", "dialect", "message"),
    [
        (
            "convolution_param { kernel_size: [3, 5] }",
            srn_fork_pb2,
            "srn_fork",
            r"^layer 'conv' \(Convolution\): ConvolutionParameter.kernel_size may hold one value in the srn_fork "
            r"dialect, found \[3, 5\]",
        ),
        (
            "pooling_param { round_mode: FLOOR }",
            srn_fork_pb2,
            "srn_fork",
            r"^layer 'conv' \(Convolution\): the srn_fork dialect has no PoolingParameter.round_mode; leave the",
        ),
        (
            "reduction_param { operation: TOPK }",
            bvlc_pb2,
            "bvlc",
            r"^layer 'conv' \(Convolution\): ReductionParameter.operation cannot be TOPK in the bvlc dialect; it kn",
        ),
        ("bn_param { }", bvlc_pb2, "bvlc", r"^layer 'conv' .*: the bvlc dialect has no LayerParameter.bn_param"),
        ("permute_param { order: 1 }", bvlc_pb2, "bvlc", r"has no LayerParameter.permute_param; .* 'own'"),
    ],
)
def test_names_what_a_dialect_lacks(text: str, target: ModuleType, dialect: str, message: str) -> None:
    with pytest.raises(DialectError, match=message):
        copy_fields(layer(text), target.LayerParameter, dialect)


def test_names_v1_layers_by_their_type() -> None:
    net = caffe_pb2.NetParameter()
    net.layers.add(name="r", type="RELU").pooling_param.round_mode = caffe_pb2.PoolingParameter.FLOOR
    with pytest.raises(DialectError, match=r"^layer 'r' \(RELU\): "):
        copy_fields(net, srn_fork_pb2.NetParameter, "srn_fork")


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
def test_detects_the_dialect_it_was_written_in(text: str, dialect: str) -> None:
    assert detect(encoded(text, dialect)) == (dialect, [])


def test_names_fields_that_do_not_fit() -> None:
    data = encoded('layer { name: "a" type: "BN" bn_param { momentum: 0.5 frozen: true } }', "srn_fork")
    assert misfits(descriptor_of(caffe_pb2.NetParameter), data) == [
        "EmbedParameter.bias_term",
        "EmbedParameter.bias_filler",
    ]


def test_unpacked_and_packed_lists_both_fit() -> None:
    descriptor = descriptor_of(caffe_pb2.BlobProto)
    assert misfits(descriptor, b"\x2d\x00\x00\x80\x3f") == []
    assert misfits(descriptor, b"\x2a\x04\x00\x00\x80\x3f") == []
    assert misfits(descriptor, b"\x0d\x00\x00\x80\x3f") == ["BlobProto.num"]


def test_bytes_that_are_no_message_do_not_fit_a_message() -> None:
    assert misfits(descriptor_of(caffe_pb2.BlobProto), b"\x3a\x02\xff\xff") == ["BlobProto.shape"]


def test_what_protobuf_writes_in_another_way_still_fits() -> None:
    in_another_order = b"\xa2\x06\x09" + b"\x12\x04ReLU" + b"\x0a\x01a" + b"\x0a\x01n"
    assert detect(in_another_order) == ("bvlc", [])


def test_a_bool_that_is_no_bool_does_not_fit() -> None:
    """DataParameter 10: BVLC's prefetch of 4 batches would be the fork's shuffle."""
    net = caffe_pb2.NetParameter()
    net.layer.add(name="d", type="Data").data_param.prefetch = 4
    assert net_misfits(net.SerializeToString(), "srn_fork") == ["DataParameter.shuffle"]
    assert net_misfits(net.SerializeToString(), "bvlc") == []
