"""The bytes of files, read or mapped, and the kinds of files."""

import errno
import gzip
import io
import os
import socket
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.file_bytes import (
    KINDS,
    MOST_BUFFERS,
    SMALL_GAP,
    MappedFile,
    is_hdf5,
    kind_of,
    map_bytes,
    mapping_of,
    read_bytes,
    refuse_other_kinds,
    refuse_other_messages,
    replacing,
    text_of,
    write_bytes,
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
def test_knows_what_users_give_by_mistake(head: bytes, kind: str) -> None:
    assert str(kind_of(head)).startswith(kind)


@pytest.mark.parametrize("head", [b"\n\x07ResNet5\xa2\x06\x03", b"\x08\x0a\x12\x01a", b"\xfa\x01"])
def test_says_nothing_of_protobuf(head: bytes) -> None:
    assert kind_of(head) is None


def test_knows_hdf5_by_its_content(tmp_path: Path) -> None:
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
def test_refuses_what_is_no_text(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        text_of("a.prototxt", data, "a net")


def test_refuses_missing_empty_and_folders(tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"base_lr: 0.1",
            r"a solver as text \(prototxt\); it holds no weights: give the .caffemodel that its training",
        ),
        (b"layer { }", r"a net as text \(prototxt\); it holds no weights: give the .caffemodel that belongs to it$"),
        (b"hello", "a text file; give a binary file that Caffe wrote, or download it again$"),
        (b"%PDF", "a PDF document$"),
    ],
)
def test_refuses_other_kinds(data: bytes, message: str) -> None:
    refuse_other_kinds("a", b"\n\x01a\x12\x02\x22\x00", "weights")
    with pytest.raises(FormatError, match=f"^a: expected weights, found {message}"):
        refuse_other_kinds("a", data, "weights")


@pytest.mark.parametrize("given", MESSAGES)
@pytest.mark.parametrize("expected", MESSAGES)
def test_names_the_message_given_instead(given: str, expected: str) -> None:
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
def test_refuses_what_is_no_message_of_caffe(expected: str) -> None:
    with pytest.raises(FormatError, match=rf"^f: expected x, but {expected}.1012 do not fit; give another file"):
        refuse_other_messages("f", b"\xa0\x3f\x05", expected, "x")


@pytest.mark.parametrize("expected", ["NetParameter", "SolverState", "Datum"])
def test_names_onnx(expected: str) -> None:
    model = b"\x08\x09" + b"\x12\x03any" + b"\x3a\x02\x12\x00" + b"\x42\x02\x10\x12"  # version, maker, graph, operators
    with pytest.raises(FormatError, match=r"^f: expected x, found an ONNX model; give the file that it was exported"):
        refuse_other_messages("f", model, expected, "x")


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


CONTENT = np.random.default_rng(3).integers(0, 256, 9 * SMALL_GAP + 5, np.uint8)

Preadv = Callable[[int, Sequence[memoryview], int], int]


@pytest.fixture
def file(tmp_path: Path) -> MappedFile:
    path = tmp_path / "file"
    path.write_bytes(CONTENT.tobytes())
    return MappedFile(path)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many buffers each read was given."""
    counts: list[int] = []
    real: Preadv = os.preadv

    def counting(descriptor: int, buffers: Sequence[memoryview], start: int) -> int:
        counts.append(len(buffers))
        return real(descriptor, buffers, start)

    monkeypatch.setattr(os, "preadv", counting)
    return counts


def part(offset: int, count: int) -> tuple[int, np.ndarray[Any, Any]]:
    return offset, np.zeros(count, np.float32)


def assert_filled(parts: Sequence[tuple[int, np.ndarray[Any, Any]]]) -> None:
    for offset, array in parts:
        assert array.tobytes() == CONTENT[offset : offset + array.nbytes].tobytes()


def test_parts_near_each_other_are_one_call(file: MappedFile, calls: list[int]) -> None:
    parts = [part(4001, 11), part(3, 7), part(31, 2), (50, np.zeros((2, 0), np.float32))]
    file.read_parts(parts)
    assert_filled(parts)
    assert calls == [4]  # three parts, and one gap: 31 lies right behind 3 + 28


def test_parts_far_from_each_other_and_over_each_other_are_calls_of_their_own(
    file: MappedFile, calls: list[int]
) -> None:
    parts = [part(1, 5), part(22 + SMALL_GAP, 3), part(26 + SMALL_GAP, 4)]
    file.read_parts(parts)
    assert_filled(parts)
    assert calls == [1, 1, 1]


def test_no_call_has_more_buffers_than_systems_take(file: MappedFile, calls: list[int]) -> None:
    parts = [part(1 + 10 * index, 2) for index in range(MOST_BUFFERS)]
    file.read_parts(parts)
    assert_filled(parts)
    assert max(calls) <= MOST_BUFFERS
    assert sum(calls) == 2 * len(parts) - len(calls)


def test_calls_that_stop_short_are_gone_on_with(file: MappedFile, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Preadv = os.preadv

    def short(descriptor: int, buffers: Sequence[memoryview], start: int) -> int:
        return real(descriptor, [buffers[0][:13]], start)

    monkeypatch.setattr(os, "preadv", short)
    parts = [part(2, 10), part(42, 3), part(60, 1)]
    file.read_parts(parts)
    assert_filled(parts)


def test_a_file_that_has_become_shorter_is_told(file: MappedFile) -> None:
    os.truncate(file.path, 1000)
    with pytest.raises(
        FormatError, match=rf"^{file.path}: ends at byte 1000 now: the file was changed while it was read$"
    ):
        file.read_parts([part(900, 50)])


def test_where_numbers_lie(file: MappedFile) -> None:
    numbers = np.frombuffer(file, np.float32, 12, 17)
    assert mapping_of(numbers) is file
    assert (file.offset_of(numbers), file.offset_of(numbers.reshape(3, 4)[1])) == (17, 33)
    for elsewhere in (numbers.reshape(3, 4).T, numbers.copy(), numbers * 2, np.frombuffer(b"12345678", np.float32)):
        assert mapping_of(elsewhere) is None


def test_the_file_stays_open_as_long_as_an_array_looks_into_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345678")
    file = MappedFile(tmp_path / "file")
    descriptor, array = file.descriptor, np.frombuffer(file, np.uint8)
    del file
    assert os.fstat(descriptor).st_size == array.size == 8
    del array
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_an_empty_file_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ValueError, match="empty file"):
        MappedFile(tmp_path / "file")
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_file_takes_its_place_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_survives_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as beside:
            beside.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=rf"'{tmp_path}'$"), replacing(tmp_path) as beside:
        beside.write_text("new")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError, match=rf"no such folder for 'a.txt'; make it first: '{tmp_path}/absent'$"),
        replacing(tmp_path / "absent" / "a.txt"),
    ):
        pytest.fail("the block ran")


def test_errors_about_other_files_stay(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"other'$"), replacing(tmp_path / "a"):
        (tmp_path / "other").read_text()


def test_a_refused_write_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=rf"No space left on device: '{tmp_path}/a'$"), replacing(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match=r"No child processes$"), replacing(tmp_path / "a"):
        raise OSError(errno.ECHILD, "No child processes")


def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    (tmp_path / "nowhere").symlink_to("/dev/null")
    write_bytes(tmp_path / "nowhere", [b"words"])
    assert (tmp_path / "nowhere").is_char_device()
    assert os.listdir(tmp_path) == ["nowhere"]


def test_a_pipe_gets_the_bytes_where_somebody_reads_and_is_refused_where_nobody_does(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="expected a file to write, found a socket, or a pipe from which nobody reads"):
        write_bytes(pipe, [b"words"])
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_bytes(pipe, [b"words"])
    assert os.read(reader, 100) == b"words"
    os.close(reader)
    assert pipe.is_fifo()


def test_a_link_in_place_of_the_temporary_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / f".a.txt.{os.getpid()}.part").symlink_to(victim)
    write_bytes(tmp_path / "a.txt", [b"words"])
    assert victim.read_text() == "precious"
    assert (tmp_path / "a.txt").read_text() == "words"


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(OSError, match=r"no file has such a name \(embedded null byte\)"):
        write_bytes("a\0b", [b"words"])
