"""Files of strangers: what is no file of numbers is refused in one line, without waiting and without much memory."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from caffe_compat.errors import CaffeError, DataError, FormatError
from caffe_compat.srn.metrics.number_files import place_of, read_matrix, shown


def refused(path, kind, complaint):
    with pytest.raises(kind, match="^" + re.escape(f"{path}{complaint}")) as caught:
        read_matrix(path, np.float64)
    assert len(str(caught.value)) < 300 + len(str(path))


def test_pipes_and_folders_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused(
        tmp_path / "pipe",
        DataError,
        ": expected a file, found a pipe (FIFO), from which reading could wait for ever; check the path",
    )
    refused(tmp_path, DataError, ": expected a file, found a folder; check the path")


def test_a_name_with_nul_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read .*null byte"):
        read_matrix(tmp_path / "a\0b", np.float64)


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "closed.txt"
    path.write_text("1 2\n")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    refused(path, DataError, ": cannot be read (Permission denied); check the path")


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"1 2\n3 \x004\n", r"line 2: expected a number in column 2, found '\x004'"),
        (b"1 2\n\xff\xfe 4\n", r"line 2: expected a number in column 1, found '\ufffd\ufffd'"),
        (b"\xff\xfe1\x00 \x002\x00\n\x00", r"line 1: expected a number in column 1, found '\ufffd\ufffd1\x00'"),
        (b"1 2\n3 1_0\n", "line 2: expected a number in column 2, found '1_0'"),
        (b"1 2\n3 \x1b[31mred\n", r"line 2: expected a number in column 2, found '\x1b[31mred'"),
        (b"1 2\n3 " + b"9" * 500 + b"x\n", f"line 2: expected a number in column 2, found '{'9' * 40}...'"),
        (b"1 2\n3 1e999\n", "line 2: expected a number that fits float64 in column 2, found '1e999'"),
        (b"1 2\n-inf -1e400\n", "line 2: expected a number that fits float64 in column 2, found '-1e400'"),
    ],
)
def test_a_bad_cell_is_named_and_shown_safely(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "numbers.txt"
    path.write_bytes(content)
    refused(path, DataError, f", {found}; ")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["float32", ">f8", "int16", "bool"])
def test_arrays_of_numpy(tmp_path: Path, order: Literal["C", "F"], kind: str) -> None:
    values = np.asarray(np.arange(6).reshape(2, 3) % 2, kind, order=order)
    np.save(tmp_path / "scores.npy", values)
    read = read_matrix(tmp_path / "scores.npy", np.float64)
    assert read.dtype == np.float64
    assert read.tolist() == values.astype(float).tolist()


def test_an_array_that_would_run_code_or_has_no_two_axes(tmp_path: Path) -> None:
    path = tmp_path / "scores.npy"
    np.save(path, np.array([[print]], dtype=object), allow_pickle=True)
    refused(path, FormatError, ": expected an array of numbers (images, classes), found object of 2 axes; save the")
    np.save(path, np.zeros((2, 3, 4)))
    refused(path, FormatError, ": expected an array of numbers (images, classes), found float64 of 3 axes; save the")


def npy(shape, body=b""):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + body


@pytest.mark.parametrize("shape", ["(1000000, 1000000)", "(3, 2)", "(0, 5)"])
def test_an_array_that_states_another_size_than_the_file_has(tmp_path: Path, shape: str) -> None:
    path = tmp_path / "scores.npy"
    path.write_bytes(npy(shape, bytes(8)))
    first, second = eval(shape)
    refused(path, FormatError, f": expected {8 * first * second} bytes of numbers for an array of {first} x {second}, ")


def test_an_array_of_negative_size(tmp_path: Path) -> None:
    path = tmp_path / "scores.npy"
    path.write_bytes(npy("(-2, -1)", bytes(16)))
    refused(path, FormatError, ": expected an array of numbers (images, classes), found float64 of 2 axes")


@pytest.mark.parametrize("seed", range(40))
def test_damaged_headers_are_one_line(tmp_path: Path, seed: int) -> None:
    """Bytes of a good file changed at random: the same numbers, other numbers, or an error of ours."""
    generator = np.random.default_rng(seed)
    content = bytearray(npy("(2, 3)", np.arange(6.0).tobytes()))
    for place in generator.integers(128, size=generator.integers(1, 4)):
        content[place] = generator.integers(256)
    path = tmp_path / "scores.npy"
    path.write_bytes(content)
    with suppress(CaffeError):
        assert read_matrix(path, np.float64).size == 6


def test_where_a_cell_of_an_array_stands(tmp_path: Path) -> None:
    assert place_of(tmp_path / "scores.npy", 3, 0) == "row 4, column 1"


def test_cells_are_shown_in_ascii() -> None:
    assert shown(" \u65e5\n") == r"\u65e5"
