"""Outputs are made or refused before the work."""

import json
import math
import os
from pathlib import Path

import pytest

from caffe_compat.cli.outputs import claim_files, claim_folder, figure, write_json
from caffe_compat.errors import DataError


def test_folders_are_made_and_nothing_is_left_in_them(tmp_path: Path) -> None:
    claim_files([tmp_path / "a" / "b" / "file.json", None])
    claim_folder(tmp_path / "c" / "d")
    assert list((tmp_path / "a" / "b").iterdir()) == list((tmp_path / "c" / "d").iterdir()) == []


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("before")
    claim_files([tmp_path / "file", os.devnull])
    assert (tmp_path / "file").read_text() == "before"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", r"folder: expected a file to write, found a folder; name a file in it"),
        ("file/out.json", r"file/out\.json: cannot be written \(File exists: '.*file'\); name another place"),
    ],
)
def test_what_cannot_be_written(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=message):
        claim_files([tmp_path / name])


def test_a_folder_whose_name_a_file_has(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file: cannot be written \(File exists"):
        claim_folder(tmp_path / "file")


def test_figures_that_are_no_numbers_are_null(tmp_path: Path) -> None:
    write_json(tmp_path / "f.json", {"good": figure(0.25), "bad": [figure(math.nan), figure(-math.inf)]})
    assert json.loads((tmp_path / "f.json").read_text()) == {"good": 0.25, "bad": [None, None]}


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(DataError, match=r"no file has such a name \(embedded null byte\); name another place"):
        claim_files(["a\0b"])
