import json

import lmdb
import numpy as np
import pytest

from caffe_compat.data.sources.datums import parse_datum
from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.layout import SplitFiles, read_image_list
from caffe_compat.srn.datasets.scene_rules import CLASS_NAMES, SceneRules
from caffe_compat.srn.datasets.scenes import write_scenes
from tests.data.made_files import read_picture

NUMBERS = {"train": 5, "val": 2, "test": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "scenes"
    write_scenes(folder, NUMBERS, seed=4, rules=SceneRules())
    return folder


def keys(path):
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return list(transaction.cursor().iternext(values=False))


def first_datum(path):
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return parse_datum(next(transaction.cursor().iternext(keys=False)), "first")


@pytest.mark.parametrize("split", NUMBERS)
def test_lists_labels_boxes_and_databases_agree(folder, split):
    files = SplitFiles(folder, split)
    images, labels = read_image_list(files.image_list), np.loadtxt(files.labels)
    boxes = json.loads(files.boxes.read_text())

    assert len(images) == len(labels) == len(boxes) == NUMBERS[split]
    for image, row in zip(images, labels, strict=True):
        assert read_picture(files.images / image.name).shape == (96, 96, 3)
        told = {name for thing in boxes[image.name] for name in thing["labels"]}
        assert image.tags == row.sum() == 2 * len(boxes[image.name]) - 1
        assert {CLASS_NAMES[label] for label in np.flatnonzero(row)} == told
    assert keys(files.image_database) == keys(files.label_database)
    assert first_datum(files.image_database).data == (files.images / images[0].name).read_bytes()
    assert list(first_datum(files.label_database).float_data) == labels[0].tolist()


def test_a_seed_gives_the_same_scenes_again_and_another_seed_others(folder, tmp_path):
    write_scenes(tmp_path / "again", NUMBERS, seed=4, rules=SceneRules())
    write_scenes(tmp_path / "other", NUMBERS, seed=5, rules=SceneRules())

    first = (folder / "images" / "train" / "00000.jpg").read_bytes()
    assert (tmp_path / "again" / "images" / "train" / "00000.jpg").read_bytes() == first
    assert (tmp_path / "other" / "images" / "train" / "00000.jpg").read_bytes() != first


def test_class_names_lie_beside(folder):
    assert (folder / "classes.txt").read_text().split("\n") == [*CLASS_NAMES, ""]


def test_numbers_must_be_positive(tmp_path):
    with pytest.raises(DataError, match=r"^.*: expected at least 1 scene in split 'val', found 0"):
        write_scenes(tmp_path / "scenes", {"train": 1, "val": 0}, seed=0, rules=SceneRules())
