"""Whole photographs beside the people of a small copy of WIDER-Attribute, through the command."""

import numpy as np
import pytest

from caffe_compat.cli.commands.prepare import main
from caffe_compat.data.sources.lmdb import Lmdb
from caffe_compat.errors import DataError
from caffe_compat.experiments.compared.people import read_people, read_sizes
from caffe_compat.experiments.compared.wider_people import add_wider_people
from tests.data.made_files import read_picture
from tests.srn.datasets.synthetic_wider_attribute import write_wider_attribute

SIDE = 48


@pytest.fixture
def prepared(tmp_path, capsys):
    annotations, images = write_wider_attribute(tmp_path / "raw")
    given = ["--annotations", str(annotations), "--images", str(images), "--out", str(tmp_path / "wider")]
    assert main(["wider_att", *given, "--resize", "40", "--input-size", "35", "--photographs", str(SIDE)]) == 0
    assert f"whole photographs and boxes in {tmp_path / 'wider'}" in capsys.readouterr().out
    return tmp_path / "wider", annotations, images


def test_boxes_are_in_step_with_the_people_cut_out(prepared):
    data, _, images = prepared
    assert read_sizes(data) == {"around": 10, "parts": 6, "neighbours": 3, "scenes": 2, "side": SIDE}
    labels = Lmdb(str(data / "train_label_lmdb"), "the test")
    keys = [labels.record(ordinal).key for ordinal in range(len(labels))]
    assert len(keys) == 3  # a fourth person lies outside of the photograph
    for kind in ("photo", "person", "around", "part", "neighbour", "scene"):
        source = Lmdb(str(data / f"train_{kind}_lmdb"), "the test")
        assert [source.record(ordinal).key for ordinal in range(len(source))] == keys
    people = read_people(data, "train")
    name = "train/0--Parade/0_Parade_1_100.jpg"
    height, width = read_picture(images / name).shape[:2]
    assert [person["photo"] for person in people[:2]] == [name] * 2
    edges = np.add(people[0]["regions"]["person"][0], (0, 0, 1, 1)) * np.array([width, height] * 2) / SIDE
    assert edges == pytest.approx([4, 3, 24, min(33, height)])
    beyond = people[1]["regions"]["person"][0]
    assert beyond[2] == pytest.approx(SIDE - 1)
    assert [person["scene"] for person in people] == [0, 0, 1]


def test_a_second_call_repairs_what_is_there(prepared):
    data, annotations, images = prepared
    before = {path.name: path.read_bytes() for path in data.glob("*.json")}
    (data / "train_part_lmdb" / "data.mdb").write_bytes(b"cut short")
    add_wider_people(data, annotations, images, SIDE)
    assert {path.name: path.read_bytes() for path in data.glob("*.json")} == before
    assert len(Lmdb(str(data / "train_part_lmdb"), "the test")) == 3


def test_other_annotations_and_missing_photographs_are_named(prepared, tmp_path):
    data, annotations, images = prepared
    (images / "test" / "0--Parade" / "0_Parade_2_5.jpg").unlink()
    with pytest.raises(DataError, match=r"0_Parade_2_5.jpg: cannot read the photograph; check the folder of images"):
        add_wider_people(data, annotations, images, SIDE)
    listed = data / "train_imglist.txt"
    listed.write_text("train/elsewhere_0.jpg 1\n" + listed.read_text())
    with pytest.raises(DataError, match=r"train_imglist.txt: 'train/elsewhere_0.jpg' is no person of .*; prepare both"):
        add_wider_people(data, annotations, images, SIDE)
    with pytest.raises(DataError, match=r"expected whole photographs beside the people cut out \(regions.json\), fo"):
        read_sizes(tmp_path)


def test_the_demos_photographs_have_a_command(tmp_path, capsys):
    out = tmp_path / "people"
    assert main(["people", "--out", str(out), "--train", "4", "--val", "1", "--test", "2"]) == 0
    assert capsys.readouterr().out == f"wrote photographs of 10 train, 2 val, 5 test people to {out}\n"
    assert len(read_people(out, "train")) == 10
