import os

import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.folders import read_folders


def test_a_folder_a_label(tmp_path):
    for name in ("dog/b.jpg", "dog/a.jpg", "cat/sub/a.jpg", "cat/z.jpg", "cat/.hidden", ".git/x.jpg", "readme.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    form = read_folders(tmp_path)
    assert (form.class_names, form.root) == (["cat", "dog"], tmp_path)
    assert [(row.name, dict(row.cells)) for row in form.rows()] == [
        ("cat/z.jpg", {"cat": "1"}),
        ("cat/sub/a.jpg", {"cat": "1"}),
        ("dog/a.jpg", {"dog": "1"}),
        ("dog/b.jpg", {"dog": "1"}),
    ]


def test_linked_files_have_all_labels_and_come_once(tmp_path):
    for label in ("cat", "dog", "cow"):
        (tmp_path / label).mkdir()
    (tmp_path / "cat" / "a.jpg").write_bytes(b"")
    os.link(tmp_path / "cat" / "a.jpg", tmp_path / "cow" / "b.jpg")
    (tmp_path / "dog" / "c.jpg").symlink_to(tmp_path / "cat" / "a.jpg")
    (tmp_path / "dog" / "nowhere.jpg").symlink_to(tmp_path / "gone.jpg")
    assert [(row.name, dict(row.cells)) for row in read_folders(tmp_path).rows()] == [
        ("cat/a.jpg", {"cat": "1", "cow": "1", "dog": "1"}),
        ("dog/nowhere.jpg", {"dog": "1"}),
    ]


def test_errors(tmp_path):
    with pytest.raises(
        DataError, match=r"^.*: expected a folder for each label, found none; put images at LABEL/IMAGE"
    ):
        read_folders(tmp_path)
    with pytest.raises(
        DataError, match=r"^.*gone: cannot read the folder \(No such file or directory\); check the path"
    ):
        read_folders(tmp_path / "gone")


def test_a_folder_of_splits(tmp_path):
    for name in ("Train", "valid"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError) as caught:
        read_folders(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}: expected a folder for each label, found folders of splits: Train, valid; give --train "
        f"{tmp_path}/Train --val {tmp_path}/valid"
    )


def test_a_label_may_be_called_as_a_split(tmp_path):
    for name in ("train", "bus"):
        (tmp_path / name).mkdir()
    assert read_folders(tmp_path).class_names == ["bus", "train"]


def test_the_folders_of_pascal_voc(tmp_path):
    for name in ("Annotations", "JPEGImages", "ImageSets"):
        (tmp_path / name).mkdir()
    with pytest.raises(
        DataError, match=r"^.*: expected a folder .*, found PASCAL VOC's folders; give an image set, .*/Annotations$"
    ):
        read_folders(tmp_path)


def test_files_of_one_name_in_several_folders(tmp_path):
    for name in ("cat/a.jpg", "dog/a.jpg", "dog/b.jpg", "cow/c.jpg", "cow/sub/c.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    os.link(tmp_path / "dog" / "b.jpg", tmp_path / "cat" / "b.jpg")
    assert read_folders(tmp_path).notes == [
        "a folder per label",
        "1 file names occur in several folders and are taken as different images: 'a.jpg'; links in place of copies "
        "make one image with several labels",
    ]
