"""Several databases as one."""

from pathlib import Path

import pytest

from caffe_compat.data.sources.lmdb import Lmdb
from caffe_compat.data.sources.shards import open_shards
from caffe_compat.errors import DataError
from tests.data.made_files import picture, raw_lmdb


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, count in (("train_0_lmdb", 3), ("train_1_lmdb", 2), ("train_2_lmdb", 4)):
        raw_lmdb(tmp_path / name, [picture(2, 3, seed=number) for number in range(count)])
    return tmp_path


def test_a_pattern_names_shards(folder: Path) -> None:
    database = open_shards(f"{folder}/train_*_lmdb", "layer", Lmdb)
    keys = [f"{number:08d}_{number}.png".encode() for count in (3, 2, 4) for number in range(count)]
    assert len(database) == 9
    for ordinal in (0, 1, 2, 3, 4, 5, 8, 3, 0):
        assert database.record(ordinal).key == keys[ordinal]
    database.close()


def test_a_file_lists_shards(folder: Path) -> None:
    (folder / "shards.txt").write_text(f"{folder}/train_2_lmdb\n\n{folder}/train_1_lmdb\n")
    assert len(open_shards(f"{folder}/shards.txt", "layer", Lmdb)) == 6


def test_a_folder_is_one_database(folder: Path) -> None:
    assert isinstance(open_shards(f"{folder}/train_1_lmdb", "layer", Lmdb), Lmdb)


def test_refuses_a_pattern_without_match(folder: Path) -> None:
    with pytest.raises(DataError, match=r"^layer: source '.*/test_\*' names no database"):
        open_shards(f"{folder}/test_*", "layer", Lmdb)
