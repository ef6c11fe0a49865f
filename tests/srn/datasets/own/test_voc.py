import os

import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.data import OwnSplit, own_data
from caffe_compat.srn.datasets.own.voc import LARGEST_XML

OBJECT = "<object><name>{}</name><difficult>{}</difficult></object>"
IMAGES = {"000005": [("cup", 0), ("my dog", 1)], "000007": [("cup", 1)], "000009": []}


@pytest.fixture
def devkit(tmp_path):
    root = tmp_path / "VOC2007"
    for folder in ("ImageSets/Main", "Annotations", "JPEGImages"):
        (root / folder).mkdir(parents=True)
    for name, objects in IMAGES.items():
        (root / "JPEGImages" / f"{name}.jpg").write_bytes(b"")
        body = "".join(OBJECT.format(*found) for found in objects)
        (root / "Annotations" / f"{name}.xml").write_text(
            f"<annotation><filename>{name}.jpg</filename>{body}</annotation>"
        )
    (root / "ImageSets" / "Main" / "train.txt").write_text("000005\n000009\n")
    return root


def rows_of(path):
    source = own_data({"train": OwnSplit(path)})
    return source.class_names, {sample.name: sample.labels.tolist() for sample in source.splits["train"]()}


def test_an_image_set_with_files_of_classes(devkit):
    main = devkit / "ImageSets" / "Main"
    (main / "cup_train.txt").write_text("000005  1\n000009 -1\n")
    (main / "sofa_train.txt").write_text("000005 -1\n000009  0\n")
    assert rows_of(main / "train.txt") == (["cup", "sofa"], {"000005.jpg": [1, 0], "000009.jpg": [0, -1]})
    (main / "sofa_train.txt").write_text("000005 -1\n")
    with pytest.raises(DataError, match=r"^.*train.txt, line 2: expected a line for image '000009' in sofa_train.txt"):
        rows_of(main / "train.txt")


def test_an_image_set_with_xml(devkit):
    assert rows_of(devkit / "ImageSets" / "Main" / "train.txt") == (
        ["cup", "my dog"], {"000005.jpg": [1, -1], "000009.jpg": [0, 0]},
    )  # fmt: skip


def test_a_folder_of_xml(devkit):
    assert rows_of(devkit / "Annotations") == (
        ["cup", "my dog"], {"000005.jpg": [1, -1], "000007.jpg": [-1, 0], "000009.jpg": [0, 0]},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotation>", r"expected XML, found no element found"),
        ("<a><object/></a>", r"expected a 'name' in each 'object', found none"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', r"expected plain XML, found definitions \(DOCTYPE or ENTITY\)"),
        (" " * (LARGEST_XML + 1), r"expected at most 4,194,304 bytes, found 4,194,305"),
    ],
)
def test_xml_that_cannot_be_read(devkit, text, message):
    (devkit / "Annotations" / "000005.xml").write_text(text)
    with pytest.raises(DataError, match=rf"^.*000005.xml: {message}"):
        rows_of(devkit / "Annotations")


def test_xml_that_is_not_there(devkit):
    (devkit / "Annotations" / "000009.xml").unlink()
    with pytest.raises(
        DataError, match=r"^.*000009.xml: cannot read the annotations \(No such file or directory\); ch"
    ):
        rows_of(devkit / "ImageSets" / "Main" / "train.txt")
    os.mkfifo(devkit / "Annotations" / "000009.xml")
    with pytest.raises(DataError, match=r"^.*000009.xml: cannot read the annotations: expected a file, found a pipe"):
        rows_of(devkit / "ImageSets" / "Main" / "train.txt")
