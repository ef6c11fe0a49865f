import json

import numpy as np
import pytest

from caffe_compat.errors import FormatError
from caffe_compat.srn.datasets.samples import PictureBox
from caffe_compat.srn.datasets.wider_attribute import wider_attribute
from tests.srn.datasets.synthetic_wider_attribute import ATTRIBUTES, write_wider_attribute


def test_people_with_boxes_and_attributes(tmp_path):
    annotations, images = write_wider_attribute(tmp_path)
    source = wider_attribute(annotations, images)
    assert source.class_names == ATTRIBUTES
    train, test = (list(source.splits[split]()) for split in ("train", "test"))
    assert [sample.name for sample in train] == [
        "train/0--Parade/0_Parade_1_100_0.jpg",
        "train/0--Parade/0_Parade_1_100_1.jpg",
        "val/1--Dress/1_Dress_9_7_0.jpg",
        "val/1--Dress/1_Dress_9_7_1.jpg",
    ]
    assert train[1].path == str(images / "train/0--Parade/0_Parade_1_100.jpg")
    assert train[1].box == PictureBox(30, 5, 40, 20)
    np.testing.assert_array_equal(test[1].labels, [-1, 0, 0, 1, -1])  # of 0, -1, -1, 1, 0 in the file
    assert source.released_codes
    assert len(source.splits["test"]()) == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attribute": [1, 0]}, r"expected 5 attributes of 1, 0 or -1, found \[1, 0\]"),
        ({"attribute": [1, 0, 2, 0, 0]}, r"expected 5 attributes of 1, 0 or -1, found \[1, 0, 2"),
        ({"attribute": [1, 0, 0.5, 0, 0]}, r"expected 5 attributes of 1, 0 or -1, found \[1, 0, 0.5"),
        ({"attribute": None}, r"expected 'attribute' of type list, found None"),
        ({"bbox": [1, 2, "3", 4]}, r"expected a box of left, top, width and height, found \[1, 2, '3', 4\]"),
        ({"bbox": [1, 2, float("nan"), 4]}, r"expected a box of left, top, width and height, found \[1, 2, nan, 4\]"),
        ({"bbox": [1, 2, 3]}, r"expected a box of left, top, width and height, found \[1, 2, 3\]"),
    ],
)
def test_people_of_another_form(tmp_path, change, message):
    annotations, images = write_wider_attribute(tmp_path)
    path = annotations / "wider_attribute_test.json"
    content = json.loads(path.read_text())
    content["images"][0]["targets"][2].update(change)
    path.write_text(json.dumps(content))
    source = wider_attribute(annotations, images)
    with pytest.raises(FormatError, match=rf"^.*test.json: person 2 of 'test/.*_2_5.jpg': {message}"):
        source.splits["test"]()


def test_attribute_names_of_another_form(tmp_path):
    annotations, images = write_wider_attribute(tmp_path)
    path = annotations / "wider_attribute_trainval.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"attribute_id_map": ["Male"]}))
    with pytest.raises(
        FormatError, match=r"^.*trainval.json: expected names by number as 'attribute_id_map', found \['"
    ):
        wider_attribute(annotations, images)
