"""NumPy's files, as strangers send them."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.convert.formats.mean_image import convert_mean
from caffe_compat.convert.formats.numpy_file import load_npy, load_npz
from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.model import require_regular
from caffe_compat.errors import FormatError
from caffe_compat.parity.recording import read_recording


def test_arrays_are_read(tmp_path: Path) -> None:
    array = np.arange(6.0).reshape(2, 3)
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "b.npz", one=array, two=array[0])
    np.testing.assert_array_equal(load_npy(tmp_path / "a.npy", ""), array)
    assert {key: value.shape for key, value in load_npz(tmp_path / "b.npz", "").items()} == {"one": (2, 3), "two": (3,)}


def test_a_header_that_claims_more_than_the_file_holds(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 3), np.float32))
    content = (tmp_path / "a.npy").read_bytes()
    large = content.replace(b"'shape': (2, 3), }      ", b"'shape': (2, 99999), }  ", 1)
    assert len(large) == len(content)
    (tmp_path / "a.npy").write_bytes(large)
    with pytest.raises(FormatError, match=r"a\.npy: not a whole NumPy array \(.*\); save it$"):
        load_npy(tmp_path / "a.npy", "save it")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", b"\x93NUMPY\x01\x00\x02\x00{(", b"\x80\x04N."])
def test_what_is_no_array(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.npy: "):
        load_npy(tmp_path / "a.npy", "save it")
    with pytest.raises(FormatError, match=r"a\.npy: expected a dump, found something else: "):
        load_npz(tmp_path / "a.npy", "a dump")


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", a=np.array([{}], object))
    with pytest.raises(FormatError, match=r"a\.npy: not a whole NumPy array \(.*\); save it$"):
        load_npy(tmp_path / "a.npy", "save it")
    with pytest.raises(FormatError, match=r"b\.npz: expected a dump, found something else: Object arrays"):
        load_npz(tmp_path / "b.npz", "a dump")


def test_an_archive_in_place_of_an_array(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", a=np.ones(2))
    with pytest.raises(
        FormatError, match=r"a\.npz: expected one array, found an archive of several \(\.npz\); save it$"
    ):
        load_npy(tmp_path / "a.npz", "save it")


def test_an_archive_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as file:
        for _ in range(140):
            file.write(bytes(1 << 20))
    with pytest.raises(FormatError, match=r"a\.npz: expected arrays of about the file's \d+ bytes, found members that"):
        read_recording(tmp_path / "a.npz")


@pytest.mark.parametrize(
    "read", [lambda path: load_npy(path, ""), read_recording, lambda path: convert_mean(path, "torch"), read_model]
)
def test_a_pipe_is_refused_before_anybody_waits(read: Callable[[str], object], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npy")
    with pytest.raises(FormatError, match=r"a\.npy: expected a file, found a folder, a pipe, a socket or a device"):
        read(str(tmp_path / "a.npy"))
    with pytest.raises(FormatError, match="expected a file, found a folder"):
        require_regular(tmp_path)
