"""`convert_imageset` writes the records that Caffe's tool wrote, byte for byte."""

from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

from caffe_compat.proto import caffe_pb2
from tests.cli.conftest import Run
from tests.cli.messages import messages

FLAGS = {
    "raw": ["--resize_height=48", "--resize_width=64"],
    "png": ["--resize_height=48", "--resize_width", "64", "-encode_type", "png"],
    "jpgfile": ["--encoded"],
    "gray": ["--resize_height=40", "--resize_width=40", "-gray"],
}


def records(path: Path) -> dict[bytes, bytes]:
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return {bytes(key): bytes(value) for key, value in transaction.cursor()}


@pytest.mark.parametrize("name", sorted(FLAGS))
def test_records_are_caffes(name: str, goldens: Path, tmp_path: Path, run: Run) -> None:
    data = goldens / "bvlc" / "data"
    status, log = run("convert_imageset", *FLAGS[name], f"{data}/images/", data / "list.txt", tmp_path / "db")
    assert status == 0
    assert messages(log)[-2:] == ["A total of 7 images.", "Processed 7 files."][-2:] or name == "png"
    mine, theirs = records(tmp_path / "db"), records(data / f"{name}_lmdb")
    assert list(mine) == list(theirs)
    if name in ("raw", "jpgfile"):
        assert mine == theirs
    for key in theirs:  # resizing and PNG compression may differ between versions of OpenCV
        got, expected = (caffe_pb2.Datum.FromString(value[key]) for value in (mine, theirs))
        assert (got.label, got.encoded, got.channels, got.height) == (
            expected.label,
            expected.encoded,
            expected.channels,
            expected.height,
        )


@pytest.fixture
def images(tmp_path: Path) -> Path:
    random = np.random.RandomState(3)
    for name, shape in (("a b.png", (5, 6, 3)), ("c.png", (5, 6, 3)), ("wide.png", (5, 9, 3))):
        cv2.imwrite(str(tmp_path / name), random.randint(0, 256, shape, np.uint8))
    return tmp_path


def test_the_label_stands_after_the_last_space(images: Path, run: Run) -> None:
    (images / "list").write_text("a b.png 4\nc.png -1\n")
    run("convert_imageset", images, images / "list", images / "db")
    labels = {key: caffe_pb2.Datum.FromString(value).label for key, value in records(images / "db").items()}
    assert labels == {b"00000000_a b.png": 4, b"00000001_c.png": -1}


def test_images_that_cannot_be_read_are_said_and_left_out(images: Path, run: Run) -> None:
    (images / "list").write_text("c.png 1\nmissing.png 2\nc.png 3\n")
    status, log = run("convert_imageset", images, images / "list", images / "db")
    assert status == 0
    assert list(records(images / "db")) == [b"00000000_c.png", b"00000002_c.png"]
    assert f"could not load '{images}/missing.png'" in log
    assert messages(log)[-1] == "1 of 3 images could not be read and were left out"


@pytest.mark.parametrize(
    ("name", "encode_type", "kept"),
    [("p.jpg", "JPG", True), ("p.jpeg", "jpg", True), ("p.jpg", "jpeg", False), ("p.jpeg", "jpeg", True)],
)
def test_a_file_in_the_asked_encoding_is_kept_as_it_is(
    name: str, encode_type: str, kept: bool, tmp_path: Path, run: Run
) -> None:
    picture = np.random.RandomState(5).randint(0, 256, (12, 9, 3), np.uint8)
    content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1].tobytes()
    (tmp_path / name).write_bytes(content)
    (tmp_path / "list").write_text(f"{name} 2\n")
    assert run("convert_imageset", f"--encode_type={encode_type}", tmp_path, tmp_path / "list", tmp_path / "db")[0] == 0
    (record,) = records(tmp_path / "db").values()
    assert (caffe_pb2.Datum.FromString(record).data == content) == kept


def test_shuffle_keeps_names_and_labels_together(images: Path, run: Run) -> None:
    (images / "list").write_text("a b.png 4\nc.png 7\nwide.png 9\n")
    run("convert_imageset", "--shuffle", images, images / "list", images / "db")
    labels = {key[9:]: caffe_pb2.Datum.FromString(value).label for key, value in records(images / "db").items()}
    assert labels == {b"a b.png": 4, b"c.png": 7, b"wide.png": 9}


@pytest.mark.parametrize(
    ("lines", "flags", "message"),
    [
        ("c.png 1\nwide.png 2\n", ["--check_size"], "Incorrect data field size 135: 'wide.png' does not"),
        ("c.png one\n", [], "{folder}/list, line 1: expected 'NAME LABEL' with a whole number"),
        ("c.png 1\n", ["--encode_type=webb"], "--encode_type: OpenCV cannot write 'webb'"),
        (None, [], "convert_imageset: cannot read the list of images '{folder}/list': No such file or directory"),
    ],
)  # fmt: skip
def test_errors(lines: str | None, flags: list[str], message: str, images: Path, run: Run) -> None:
    if lines is not None:
        (images / "list").write_text(lines)
    status, log = run("convert_imageset", *flags, images, images / "list", images / "db")
    assert status == (2 if flags else 1)
    assert messages(log)[-1].startswith(message.format(folder=images))


def test_a_database_is_never_overwritten(images: Path, run: Run) -> None:
    (images / "list").write_text("c.png 1\n")
    assert run("convert_imageset", images, images / "list", images / "db")[0] == 0
    status, log = run("convert_imageset", images, images / "list", images / "db")
    assert status == 1
    assert messages(log)[-1].startswith(f"LMDB '{images}/db' exists already")


def test_leveldb_says_what_it_needs(images: Path, run: Run) -> None:
    (images / "list").write_text("c.png 1\n")
    status, log = run("convert_imageset", "--backend=leveldb", images, images / "list", images / "db")
    if status:
        assert messages(log)[-1].startswith(f"writing LevelDB '{images}/db' needs the package plyvel")


def test_three_arguments_are_needed(run: Run) -> None:
    status, log = run("convert_imageset", "a", "b")
    assert (status, messages(log)) == (2, ["the following arguments are required: DB_NAME"])
