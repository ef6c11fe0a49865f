import gzip
import io
import os
import socket
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.kinds import (
    KINDS,
    is_hdf5,
    kind_of,
    map_bytes,
    read_bytes,
    refuse_other_kinds,
    refuse_other_messages,
    text_of,
)

NET = caffe_pb2.NetParameter(name="n")
NET.layer.add(name="a", type="ReLU")
STATE = caffe_pb2.SolverState(iter=7, learned_net="a.caffemodel", current_step=1)
STATE.history.add(data=[1]).shape.dim.append(1)
BLOB = caffe_pb2.BlobProto(data=[1, 2], num=1, channels=2, height=1, width=1)
DATUM = caffe_pb2.Datum(channels=1, height=1, width=1, data=b"x", label=3)
MESSAGES = {message.DESCRIPTOR.name: message.SerializeToString() for message in (NET, STATE, BLOB, DATUM)}


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", "b")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "a PNG image"),
        (b"\xff\xd8\xff\xe0", "a JPEG image"),
        (zipped(), "a zip archive"),
        (gzip.compress(b"x", mtime=0), "a gzip archive"),
        (b"\x80\x04\x95", "a Python pickle"),
        (b"\0" * 16 + b"\xde\xc0\xef\xbe" + b"\0" * 20, "an LMDB data file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b'name: "x"\nlayer {', "a net as text"),
        (b"# a comment\nlayers { bottom: 'x' }", "a net as text"),
        (b'net: "train.prototxt"\nbase_lr: 0.1\n', "a solver as text"),
        ("Grüße".encode(), "a text file"),
        (("ä" * 4096).encode()[:4095], "a text file"),
    ],
)
def test_knows_what_users_give_by_mistake(head, kind) -> None:
    assert str(kind_of(head)).startswith(kind)


@pytest.mark.parametrize("head", [b"\n\x07ResNet5\xa2\x06\x03", b"\x08\x0a\x12\x01a", b"\xfa\x01"])
def test_says_nothing_of_protobuf(head) -> None:
    assert kind_of(head) is None


def test_knows_hdf5_by_its_content(tmp_path) -> None:
    with h5py.File(tmp_path / "weights.caffemodel", "w") as file:
        file["a"] = np.zeros(3)
    assert is_hdf5((tmp_path / "weights.caffemodel").read_bytes())
    assert not is_hdf5(b"HDF")


def test_text_may_start_with_a_byte_order_mark() -> None:
    assert text_of("a.prototxt", b"\xef\xbb\xbfname: 'x'", "a net") == "name: 'x'"


def test_comments_may_be_in_any_encoding() -> None:
    data = "name: 'a # \"b' # 'c\n# \u4e2d\u6587 don't\r\ntop: \"x'\" #".encode("gbk")
    assert text_of("a.prototxt", data, "a net") == "name: 'a # \"b' # 'c\n# ???? don't\r\ntop: \"x'\" #"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x89PNG\r\n\x1a\n", "^a.prototxt: expected a net, found a PNG image"),
        (b"<html></html>", "^a.prototxt: expected a net, found a web page"),
        (b"\n\x04LeNe\xa2\x06\0", r"^a.prototxt: expected a net, found a binary file \(a .caffemodel\? give its"),
        (b"name: 'a\0'", "^a.prototxt: expected a net, found a binary file"),
        (
            b"name: 'a'\ntop: 'gr\xfc\xdfe'",
            "^a.prototxt: expected a net, found bytes in line 2 that are not UTF-8; save",
        ),
        (b"name: 'a # \xd6\xd0' # b", "^a.prototxt: expected a net, found bytes in line 1 that are not UTF-8; save"),
    ],
)
def test_refuses_what_is_no_text(data, message) -> None:
    with pytest.raises(FormatError, match=message):
        text_of("a.prototxt", data, "a net")


def test_refuses_missing_empty_and_folders(tmp_path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "lmdb").mkdir()
    (tmp_path / "lmdb" / "data.mdb").touch()
    for name, message in {
        "none": "none: no such file; expected weights",
        "empty": "empty: expected weights, found an empty file; copy or download it again",
        "lmdb": "lmdb: expected weights, found a folder that holds an LMDB",
    }.items():
        with pytest.raises(FormatError, match=message):
            read_bytes(tmp_path / name, "weights")


def test_refuses_other_kinds() -> None:
    refuse_other_kinds("a", b"\n\x01a\x12\x02\x22\x00", "weights")
    with pytest.raises(FormatError, match=r"^a: expected weights, found a solver as text \(prototxt\)"):
        refuse_other_kinds("a", b"base_lr: 0.1", "weights")


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


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "link to a device"])
def test_pipes_sockets_and_devices_are_refused_and_never_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / "file"
    with socket.socket(socket.AF_UNIX) as server:
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "socket":
            monkeypatch.chdir(tmp_path)  # the name of a socket has room for 108 bytes
            server.bind("file")
        elif kind == "device":
            path = Path("/dev/zero")
        else:
            path.symlink_to("/dev/zero")
        for read in (read_bytes, map_bytes):
            with pytest.raises(FormatError, match=r": expected weights, found a pipe, socket or device; give a file$"):
                read(path, "weights")
