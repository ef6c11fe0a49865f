"""Relation scenes on disk."""

import json

import numpy as np

from caffe_compat.experiments.mechanism.relation_rules import CLASS_NAMES, RelationRules
from caffe_compat.experiments.mechanism.relation_scenes import write_relation_scenes
from caffe_compat.srn.datasets.layout import SplitFiles, read_image_list
from tests.data.made_files import read_picture


def test_files_agree_with_each_other(tmp_path):
    write_relation_scenes(tmp_path / "data", {"train": 7, "val": 3}, seed=5, rules=RelationRules())
    for split, number in (("train", 7), ("val", 3)):
        files = SplitFiles(tmp_path / "data", split)
        images = read_image_list(files.image_list)
        labels = np.loadtxt(files.labels, dtype=int)
        boxes = json.loads(files.boxes.read_text())
        assert labels.shape == (number, 11)
        for image, row in zip(images, labels, strict=True):
            names = {name for thing in boxes[image.name] for name in thing["labels"]}
            assert names == {CLASS_NAMES[label] for label in np.flatnonzero(row)}
            picture = read_picture(files.images / image.name)
            assert picture.shape == (104, 104, 3)
            for left, top, width, height in (thing["box"] for thing in boxes[image.name]):
                digit = picture[top : top + height, left : left + width]
                assert digit.mean() > picture.mean() + 20
        assert files.image_database.is_dir()
        assert files.label_database.is_dir()


def test_the_same_seed_gives_the_same_pictures(tmp_path):
    for name in ("a", "b"):
        write_relation_scenes(tmp_path / name, {"test": 2}, seed=8, rules=RelationRules())
    first, second = ((tmp_path / n / "images/test/00001.png").read_bytes() for n in ("a", "b"))
    assert first == second
