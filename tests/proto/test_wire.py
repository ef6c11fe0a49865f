import pytest

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.wire import WireField, decode, delimited_key, fields, read_varint, varint, varint_field


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**31, 2**63 - 1])
def test_varint_there_and_back(value: int) -> None:
    encoded = varint(value)
    assert read_varint(b"x" + encoded, 1, 1 + len(encoded)) == (value, 1 + len(encoded))


def test_fields_are_where_protobuf_writes_them() -> None:
    message = caffe_pb2.BlobProto(num=300, data=[1.5, 2.5])
    message.shape.dim.append(7)
    data = message.SerializeToString(deterministic=True)
    assert list(fields(data, 0, len(data))) == [
        WireField(1, 0, 0, 1, 3),
        WireField(5, 2, 3, 5, 13),
        WireField(7, 2, 13, 15, 18),
    ]


def test_fixed_widths() -> None:
    data = bytes([1 << 3 | 1, *range(8), 2 << 3 | 5, *range(4)])
    assert [(field.number, field.end - field.body) for field in fields(data, 0, len(data))] == [(1, 8), (2, 4)]


def test_written_pieces_are_what_protobuf_reads() -> None:
    shape = delimited_key(7, 3) + delimited_key(1, 1) + varint(9)
    message = caffe_pb2.BlobProto.FromString(varint_field(2, 1000) + shape)
    assert (message.channels, list(message.shape.dim)) == (1000, [9])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff", "^byte 1: a number does not end before byte 1"),
        (b"\xff" * 11, "^byte 10: a number does not end before byte 11"),
        (b"\x00\x01", "^byte 0: field number 0 does not exist"),
        (b"\x2a\x05abc", "^byte 0: field 5 declares 5 bytes, but only 3 are left"),
        (b"\x2d\x01\x02", "^byte 0: field 5 declares 4 bytes, but only 2 are left"),
        (b"\x2b", "^byte 1: wire type 3 does not occur in Caffe's files"),
    ],
)
def test_refuses_what_is_no_message(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        list(fields(data, 0, len(data)))


def test_decodes() -> None:
    net = caffe_pb2.NetParameter(name="n", input=["a", "b"])
    net.layer.add(name="l").param.add(name="w")
    assert decode(net.SerializeToString(), caffe_pb2.NetParameter) == net


def test_strings_that_are_not_utf8_are_mended() -> None:
    data = b"\x0a\x03a\xb1b" + b"\xa2\x06\x05\x1a\x03c\xb1d" + b"\xa2\x06\x04\x0a\x02\xb1e"
    net = decode(data, caffe_pb2.NetParameter)
    assert (net.name, list(net.layer[0].bottom), net.layer[1].name) == ("a\ufffdb", ["c\ufffdd"], "\ufffde")


def test_refuses_other_bytes() -> None:
    with pytest.raises(FormatError, match=r"^not a Datum \("):
        decode(b"\xff", caffe_pb2.Datum)
