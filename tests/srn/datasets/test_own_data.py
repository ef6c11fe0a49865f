import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own_data import OwnSplit, own_data, read_class_names


@pytest.fixture
def train(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("image,labels\na.jpg,dog;cat\nsub/b.jpg,\n")
    return path


def test_labels_come_by_name(train, tmp_path):
    source = own_data({"train": OwnSplit(train)})
    assert source.class_names == ["cat", "dog"]
    samples = source.splits["train"]()
    assert len(samples) == 2
    assert [(sample.name, sample.path) for sample in samples] == [
        ("a.jpg", str(tmp_path / "a.jpg")),
        ("sub/b.jpg", str(tmp_path / "sub" / "b.jpg")),
    ]
    np.testing.assert_array_equal([sample.labels for sample in samples], [[1, 1], [0, 0]])


def test_splits_may_have_different_formats(train, tmp_path):
    (tmp_path / "val.jsonl").write_text('{"image": "v.jpg", "labels": {"dog": -1, "cat": 1}}\n')
    (tmp_path / "list.txt").write_text("t.jpg\n")
    (tmp_path / "labels.txt").write_text("0 1\n")
    splits = {
        "train": OwnSplit(train),
        "val": OwnSplit(tmp_path / "val.jsonl"),
        "test": OwnSplit(tmp_path / "list.txt", tmp_path / "labels.txt"),
    }
    source = own_data(splits, tmp_path / "images", ["dog", "cat"])
    rows = {split: list(read()) for split, read in source.splits.items()}
    assert rows["val"][0].path == str(tmp_path / "images" / "v.jpg")
    np.testing.assert_array_equal(rows["val"][0].labels, [-1, 1])
    np.testing.assert_array_equal(rows["test"][0].labels, [0, 1])


def test_a_folder_of_folders(tmp_path):
    for label in ("b", "a"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "x.jpg").write_bytes(b"")
    source = own_data({"train": OwnSplit(tmp_path)})
    np.testing.assert_array_equal([sample.labels for sample in source.splits["train"]()], np.eye(2))


def test_a_label_that_training_has_not(train, tmp_path):
    (tmp_path / "test.csv").write_text("image,labels\nc.jpg,cow\n")
    splits = {"train": OwnSplit(train), "test": OwnSplit(tmp_path / "test.csv")}
    with pytest.raises(
        DataError, match=r"^.*test.csv, line 2: expected one of 2 labels, found 'cow'; give a file with"
    ):
        own_data(splits)


def test_formats_that_are_not_known(tmp_path):
    with pytest.raises(DataError, match=r"^.*list.txt: expected a folder, .csv, .*, or an image list with its label f"):
        own_data({"train": OwnSplit(tmp_path / "list.txt")})
    with pytest.raises(DataError, match=r"^expected the annotations of at least one split, found none; name --train"):
        own_data({})


def test_class_names(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("a dog\n\ncat\n")
    assert read_class_names(path) == ["a dog", "cat"]
    path.write_text("cat\ndog\ncat\n")
    with pytest.raises(DataError, match=r"^.*classes.txt: expected label names, each once, found 'cat' 2 times"):
        read_class_names(path)
    path.write_text("\n")
    with pytest.raises(DataError, match=r"^.*classes.txt: expected label names, each once, found 'any' 0 times"):
        read_class_names(path)


def test_a_header_that_names_a_label_twice(tmp_path):
    (tmp_path / "a.csv").write_text("image,cat,cat\na.jpg,1,0\n")
    with pytest.raises(DataError, match=r"^.*a.csv: expected label names, each once, found 'cat' 2 times"):
        own_data({"train": OwnSplit(tmp_path / "a.csv")})
