import json

import numpy as np
import pytest

from caffe_compat.errors import DataError, FormatError
from caffe_compat.srn.datasets.coco import coco
from tests.srn.datasets.synthetic_coco import NAMES_BY_ID, write_coco


def test_labels_are_in_the_order_of_category_ids(tmp_path):
    source = coco(*write_coco(tmp_path))
    assert source.class_names == NAMES_BY_ID
    assert list(source.splits) == ["train", "test"]
    assert source.published == {"train": 82_783, "test": 40_504}


def test_samples_are_in_the_order_of_image_ids_and_keep_those_without_labels(tmp_path):
    annotations, images = write_coco(tmp_path)
    train = coco(annotations, images).splits["train"]()
    samples = list(train)
    assert len(train) == len(samples) == 8
    assert [int(sample.name[-7:-4]) for sample in samples] == [7, 8, 9, 30, 31, 42, 110, 581]
    assert samples[0].name == "train2014/COCO_train2014_000000000007.jpg"
    assert samples[0].path == str(images / samples[0].name)
    np.testing.assert_array_equal(
        [sample.labels for sample in samples],
        [
            [0, 0, 1, 0, 0],
            [0, 0, 0, 1, 0],
            [0, 1, 0, 0, 0],
            [1, 0, 1, 0, 1],
            [0, 1, 0, 1, 0],
            [1, 0, 0, 1, 0],
            [1, 1, 0, 0, 1],
            [0, 0, 0, 0, 0],
        ],
    )
    assert all(sample.left_out is None for sample in samples)


def test_images_without_labels_can_be_left_out(tmp_path):
    test = list(coco(*write_coco(tmp_path), labelled_only=True).splits["test"]())
    assert [str(sample.left_out) for sample in test if sample.left_out] == ["untagged: no label"]
    assert test[-1].name.endswith("074.jpg")


def test_categories_of_another_release_are_refused(tmp_path):
    annotations, images = write_coco(tmp_path)
    path = annotations / "instances_train2014.json"
    content = json.loads(path.read_text())
    content["annotations"][0]["category_id"] = 91
    path.write_text(json.dumps(content))
    with pytest.raises(FormatError, match=r"^.*train2014.json: expected one of 5 categories for image 42, found 91; "):
        coco(annotations, images).splits["train"]()


DELETED = object()


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        (("images", 0, "id"), DELETED, r"entry 0 of 'images': expected 'id' of type int, found none in \{"),
        (("images", 1, "file_name"), 7, r"entry 1 of 'images': expected 'file_name' of type str, found 7"),
        (("images",), None, r"expected a list as 'images', found NoneType"),
        (
            ("annotations", 2),
            [3, 4],
            r"entry 2 of 'annotations': expected 'image_id' and 'category_id', two .*\[3, 4\]",
        ),
        (
            ("annotations", 0, "image_id"),
            "x",
            r"entry 0 of 'annotations': expected 'image_id' and .* found _Annotation",
        ),
        (("annotations",), None, r"entry 0 of 'annotations': expected .*, found None"),
        (
            ("annotations", 0, "image_id"),
            987,
            r"expected each annotation to be of a listed image, found some of 1 .* 987;",
        ),
    ],
)
def test_entries_of_another_form(tmp_path, where, value, message):
    annotations, images = write_coco(tmp_path)
    path = annotations / "instances_train2014.json"
    content = json.loads(path.read_text())
    holder = content
    for step in where[:-1]:
        holder = holder[step]
    if value is DELETED:
        del holder[where[-1]]
    else:
        holder[where[-1]] = value
    path.write_text(json.dumps(content))
    with pytest.raises(FormatError, match=rf"^.*train2014.json: {message}"):
        coco(annotations, images).splits["train"]()


@pytest.mark.parametrize("field", ["id", "file_name"])
def test_an_image_listed_twice(tmp_path, field):
    annotations, images = write_coco(tmp_path)
    path = annotations / "instances_train2014.json"
    content = json.loads(path.read_text())
    content["images"][1][field] = content["images"][0][field]
    path.write_text(json.dumps(content))
    with pytest.raises(
        FormatError, match=rf"^.*train2014.json: images: expected each '{field}' once, found .* 2 times"
    ):
        coco(annotations, images).splits["train"]()


def test_missing_annotations(tmp_path):
    with pytest.raises(DataError, match=r"^.*instances_val2014.json: cannot read the annotations"):
        coco(tmp_path, tmp_path)
