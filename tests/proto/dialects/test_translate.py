import pytest

from caffe_compat.errors import DialectError, FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from caffe_compat.proto.dialects.translate import decode_net, dialect_of, encode_net, in_dialect
from caffe_compat.proto.text import parse_text


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
def test_dialect_is_the_one_that_can_say_the_net(text, dialect) -> None:
    assert dialect_of(net(text)) == dialect


@pytest.mark.parametrize("dialect", ["bvlc", "srn_fork", "own"])
def test_nets_there_and_back(dialect) -> None:
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
def test_refuses_what_a_dialect_cannot_say(text, dialect, message) -> None:
    with pytest.raises(DialectError, match=message):
        encode_net(net(text), dialect)


@pytest.mark.parametrize("dialect", ["bvlc", "srn_fork"])
def test_types_that_are_not_ours_are_written_as_they_are(dialect) -> None:
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
