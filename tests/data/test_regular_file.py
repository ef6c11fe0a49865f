"""Only regular files are read, whatever their names hold."""

import os
import socket
from pathlib import Path

import pytest

from caffe_compat.data.mean import read_mean
from caffe_compat.data.regular_file import open_text, read_regular, shown
from caffe_compat.data.sources.hdf5 import Hdf5Rows
from caffe_compat.data.sources.image_file import read_image
from caffe_compat.data.sources.image_list import read_image_list, read_labels
from caffe_compat.data.sources.lmdb import Lmdb
from caffe_compat.data.sources.video_frames import read_video_list
from caffe_compat.data.sources.window_file import read_window_file
from caffe_compat.errors import DataError


@pytest.fixture
def special(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The path of something that is no regular file."""
    path = tmp_path / "special"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "socket":
        socket.socket(socket.AF_UNIX).bind(str(path))
    elif request.param == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    return str(path)


READERS = [
    read_regular,
    open_text,
    read_mean,
    read_image_list,
    read_labels,
    read_video_list,
    lambda path, owner: read_image(path, 1, owner),
    lambda path, owner: read_window_file(path, 0.5, 0.5, owner),
    lambda path, owner: Hdf5Rows(path, ["data"], False, 0, owner),
]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("special", ["pipe", "socket", "folder", "device"], indirect=True)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused_at_once(reader: object, special: str) -> None:
    assert callable(reader)
    with pytest.raises(DataError, match=r"^layer: .*special': (expected a file, found a|No such device)") as error:
        reader(special, "layer")
    assert len(str(error.value)) < 300


def test_a_pipe_in_a_list_of_hdf5_files_and_in_an_lmdb_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data.mdb")
    with pytest.raises(DataError, match=r"data.mdb': expected a file, found a pipe \(FIFO\), from which reading could"):
        Lmdb(str(tmp_path), "layer")
    (tmp_path / "list").write_text(f"{tmp_path}/data.mdb\n")
    with pytest.raises(
        DataError, match=r"^layer: failed opening HDF5 file '.*data.mdb': expected a file, found a pipe"
    ):
        Hdf5Rows(f"{tmp_path}/list", ["data"], False, 0, "layer")


def test_names_that_are_no_utf8_are_those_of_the_file_system(tmp_path: Path) -> None:
    name = os.fsdecode(bytes(tmp_path) + b"/caf\xe9.txt")
    Path(name).write_bytes(b"x")
    assert read_regular(name, "layer") == b"x"
    with pytest.raises(DataError, match=r"^layer: could not load '.*\\udce8': No such file or directory"):
        read_regular(name.replace("\udce9.txt", "\udce8"), "layer")


def test_names_with_zero_bytes_are_refused() -> None:
    with pytest.raises(DataError, match=r"^layer: could not load 'a\\x00b': no file has such a name"):
        read_regular("a\0b", "layer")


def test_names_are_shown_short_and_printable() -> None:
    assert shown("a\nb\x1b[31m") == r"a\nb\x1b[31m"
    assert len(shown("x" * 5000)) < 200
