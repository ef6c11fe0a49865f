"""LMDB environments that several nets share."""

import os
from pathlib import Path

import pytest

from caffe_compat.data.sources import environments
from caffe_compat.data.sources.environments import close_environment, open_environment
from caffe_compat.data.sources.lmdb import Lmdb, _open
from caffe_compat.errors import DataError
from tests.data.made_files import picture, raw_lmdb


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(raw_lmdb(tmp_path / "db", [picture(2, 3)] * 4))


def test_one_environment_for_all_users(folder: str) -> None:
    first = open_environment(folder, "train", _open)
    assert open_environment(f"{folder}/.", "test", _open) is first
    close_environment(folder)
    assert first.stat()["entries"] == 4
    close_environment(folder)
    assert os.path.realpath(folder) not in environments._shared


def test_a_closed_reader_leaves_the_other_its_folder(folder: str) -> None:
    first, second = Lmdb(folder, "train"), Lmdb(folder, "test")
    first.close()
    assert second.record(3).key == b"00000003_3.png"
    second.close()
    assert os.path.realpath(folder) not in environments._shared


def test_a_folder_may_be_made_anew_under_its_name(folder: str, tmp_path: Path) -> None:
    Lmdb(folder, "layer").close()
    Path(folder).rename(tmp_path / "old")
    raw_lmdb(Path(folder), [picture(2, 3)] * 2)
    assert len(Lmdb(folder, "layer")) == 2


def test_refuses_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"^layer: cannot open LMDB '.*/none': no data.mdb there; make it with convert_"
    ):
        Lmdb(f"{tmp_path}/none", "layer")


def test_refuses_other_files(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"x" * 10000)
    with pytest.raises(
        DataError, match=rf"^layer: LMDB '{tmp_path}' is no LMDB of 64 bits, or its first pages are dam"
    ):
        Lmdb(str(tmp_path), "layer")
