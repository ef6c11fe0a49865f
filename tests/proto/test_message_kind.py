import pytest

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.message_kind import KINDS, refuse_other_messages

NET = caffe_pb2.NetParameter(name="n")
NET.layer.add(name="a", type="ReLU")
STATE = caffe_pb2.SolverState(iter=7, learned_net="a.caffemodel", current_step=1)
STATE.history.add(data=[1]).shape.dim.append(1)
BLOB = caffe_pb2.BlobProto(data=[1, 2], num=1, channels=2, height=1, width=1)
DATUM = caffe_pb2.Datum(channels=1, height=1, width=1, data=b"x", label=3)
MESSAGES = {message.DESCRIPTOR.name: message.SerializeToString() for message in (NET, STATE, BLOB, DATUM)}


@pytest.mark.parametrize("given", MESSAGES)
@pytest.mark.parametrize("expected", MESSAGES)
def test_names_the_message_given_instead(given, expected) -> None:
    if given == expected:
        refuse_other_messages("f", MESSAGES[given], expected, "x")
        return
    with pytest.raises(FormatError) as caught:
        refuse_other_messages("f", MESSAGES[given], expected, KINDS[expected])
    assert str(caught.value) == f"f: expected {KINDS[expected]}, found {KINDS[given]}"


def test_nets_of_unknown_forks_pass() -> None:
    data = MESSAGES["NetParameter"] + b"\xa0\x3f\x05"  # field 1012
    refuse_other_messages("f", data, "NetParameter", "weights")


@pytest.mark.parametrize("expected", ["NetParameter", "SolverState"])
def test_refuses_what_is_no_message_of_caffe(expected) -> None:
    with pytest.raises(FormatError, match=rf"^f: expected x, but {expected}.1012 do not fit; give another file"):
        refuse_other_messages("f", b"\xa0\x3f\x05", expected, "x")


def test_refuses_a_file_that_is_cut_off() -> None:
    data = MESSAGES["NetParameter"][:-3]
    with pytest.raises(
        FormatError, match=r"^f: expected x, but byte 3: field 100 declares 9 bytes, .* is cut off or of"
    ):
        refuse_other_messages("f", data, "NetParameter", "x")
