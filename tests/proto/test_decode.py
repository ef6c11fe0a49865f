import pytest

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.decode import decode


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
