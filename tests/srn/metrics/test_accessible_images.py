import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from caffe_compat.errors import DataError, FormatError
from caffe_compat.srn.metrics.accessible_images import read_accessible_images


def as_matlab_5(path, index):
    savemat(path, {"idx_final_test": index})


def as_matlab_73(path, index):
    with h5py.File(path, "w") as file:
        file["idx_final_test"] = index


@pytest.mark.parametrize("write", [as_matlab_5, as_matlab_73])
@pytest.mark.parametrize("index", [np.array([[2.0], [5.0], [3.0]]), np.array([[2, 5, 3]], dtype=np.uint16)])
def test_positions_from_one(tmp_path: Path, write: Callable[..., Any], index: np.ndarray) -> None:
    path = tmp_path / "accessible.mat"
    write(path, index)
    assert read_accessible_images(path, 5).tolist() == [1, 4, 2]


def test_a_logical_index(tmp_path: Path) -> None:
    path = tmp_path / "accessible.mat"
    as_matlab_5(path, np.array([[False], [True], [True], [False]]))
    assert read_accessible_images(path, 4).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("text", "images", "want"), [("3\n1\n", 3, [2, 0]), ("1\n0\n1\n", 3, [0, 2]), ("2 4\n", 9, [1, 3])]
)
def test_text(tmp_path: Path, text: str, images: int, want: list[int]) -> None:
    path = tmp_path / "accessible.txt"
    path.write_text(text)
    assert read_accessible_images(path, images).tolist() == want


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0\n3\n2\n", "3 numbers, 0 to 3"),
        ("1\n6\n", "2 numbers, 1 to 6"),
        ("1\n2.5\n", "2 numbers, 1 to 2.5"),
        ("1\nnan\n", "2 numbers, nan to nan"),
    ],
)
def test_positions_outside_the_list(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "accessible.txt"
    path.write_text(text)
    complaint = (
        f"{path}: expected positions from 1 to 5 (the lines of the label file), or as many 0 and 1, found {found}; the"
    )
    with pytest.raises(DataError, match="^" + re.escape(complaint)):
        read_accessible_images(path, 5)


def test_a_mask_for_another_list(tmp_path: Path) -> None:
    path = tmp_path / "accessible.txt"
    path.write_text("1\n1\n1\n2\n")
    complaint = f"{path}: expected each position once, found 1 3 times among 4 numbers; if they are 0 and 1, the label"
    with pytest.raises(DataError, match="^" + re.escape(complaint)):
        read_accessible_images(path, 5)


def test_a_variable_that_holds_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "accessible.mat"
    as_matlab_5(path, "1 2 3")
    with pytest.raises(FormatError, match=r"^.*accessible.mat: expected numbers in idx_final_test, found another kind"):
        read_accessible_images(path, 5)


def test_an_index_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "accessible.mat"
    as_matlab_5(path, np.zeros((0, 0)))
    with pytest.raises(DataError, match="^" + re.escape(f"{path}: expected positions from 1 to 5 ") + ".*found none; "):
        read_accessible_images(path, 5)


def test_a_mat_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "accessible.mat"
    savemat(path, {"labels": np.ones(3)})
    complaint = f"{path}: expected a variable idx_final_test, found labels; give the index as text instead"
    with pytest.raises(FormatError, match="^" + re.escape(complaint)):
        read_accessible_images(path, 5)


def test_a_file_that_is_not_matlab(tmp_path: Path) -> None:
    path = tmp_path / "accessible.mat"
    path.write_bytes(b"not what it says, " * 20)
    with pytest.raises(FormatError, match="^" + re.escape(f"{path}: cannot be read as a MATLAB file (")):
        read_accessible_images(path, 5)


@pytest.mark.parametrize("write", [as_matlab_5, as_matlab_73])
def test_an_index_of_more_numbers_than_images(tmp_path: Path, write: Callable[..., Any]) -> None:
    path = tmp_path / "accessible.mat"
    write(path, np.ones(1000))
    with pytest.raises(DataError, match="expected at most 5 numbers in idx_final_test, one per image, found 1000; the"):
        read_accessible_images(path, 5)


def test_numbers_that_unpack_to_much_more_than_an_index(tmp_path: Path) -> None:
    path = tmp_path / "accessible.mat"
    savemat(path, {"idx_final_test": np.zeros(4_000_000)}, do_compression=True)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="expected at most 5 numbers in idx_final_test, one per image, found 4000000"):
        read_accessible_images(path, 5)


def test_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mat")
    with pytest.raises(DataError, match=r"pipe.mat: expected a file, found a pipe"):
        read_accessible_images(tmp_path / "pipe.mat", 5)


def test_a_matlab_73_file_of_other_things(tmp_path: Path) -> None:
    path = tmp_path / "accessible.mat"
    with h5py.File(path, "w") as file:
        file["idx_final_test"] = "words"
        file["labels"] = [1.0]
    with pytest.raises(FormatError, match="expected numbers in idx_final_test, found another kind of variable"):
        read_accessible_images(path, 5)
    with h5py.File(path, "w") as file:
        file["labels"] = [1.0]
    with pytest.raises(FormatError, match="expected a variable idx_final_test, found labels; give the index as text"):
        read_accessible_images(path, 5)
