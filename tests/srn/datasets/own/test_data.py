import json

import numpy as np
import pytest

from caffe_compat.errors import CaffeError, DataError, ShapeError
from caffe_compat.srn.datasets.own.data import OwnSplit, own_data, read_class_names, read_json_lines
from caffe_compat.srn.datasets.own.reading import Reading


def read(tmp_path, text, **flags):
    (tmp_path / "a.jsonl").write_text(text)
    return read_json_lines(tmp_path / "a.jsonl", Reading(**flags))


def test_lists_and_objects(tmp_path):
    text = '{"image": "a.jpg", "labels": ["cat", 7]}\n\n{"tags": {"cat": -1, "dog": true, "cow": null}, "path": "b"}\n'
    form = read(tmp_path, text)
    assert (form.class_names, form.root) == (None, tmp_path)
    assert [(row.name, dict(row.cells), row.rest) for row in form.rows()] == [
        ("a.jpg", {"cat": "1", "7": "1"}, "not listed"),
        ("b", {"cat": "-1", "dog": "1", "cow": ""}, ""),
    ]


VALUES = '{"image": "a", "labels": [0, 1, 1]}\n{"image": "b", "labels": [1, 0, 0.0]}\n'


def test_lists_of_numbers_are_values_or_names(tmp_path):
    form = read(tmp_path, VALUES)
    assert [dict(row.cells) for row in form.rows()] == [{"0": "0", "1": "1", "2": "1"}, {"0": "1", "1": "0", "2": "0"}]
    assert form.notes == ["lists of numbers: a value for each label"]
    form = read(tmp_path, '{"image": "a", "labels": [0, 2]}\n{"image": "b", "labels": [1]}\n')
    assert [dict(row.cells) for row in form.rows()] == [{"0": "1", "2": "1"}, {"1": "1"}]
    text = '{"image": "a", "labels": [0, 1]}\n'
    with pytest.raises(
        DataError, match=r"^.*a.jsonl, line 1: '0 1' can be read in two ways: as a value for each label"
    ):
        read(tmp_path, text)
    assert [dict(row.cells) for row in read(tmp_path, text, label_cells="values").rows()] == [{"0": "0", "1": "1"}]
    with pytest.raises(ShapeError, match=r"^.*a.jsonl, line 2: expected 2 values, as in the first entry, found 1"):
        list(read(tmp_path, text + '{"image": "b", "labels": [1]}\n', label_cells="values").rows())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('["a.jpg"]', r'expected an object such as {"image": "a.jpg", "labels": \["cat"\]}, found \[\'a.jpg\'\]'),
        ('{"image": "a.jpg"}', r"expected an object .*, found {'image': 'a.jpg'}"),
        ("{", "expected an object .*, found {"),
        ("[" * 100_000, r"expected an object .*, found \[{80}$"),
        ('{"image": "a.jpg", "labels": "cat"}', "expected a list of label names, or an .*, found cat"),
        ('{"image": null, "labels": []}', r"expected an object .*, found {'image': None, 'labels': \[\]}"),
        ('{"image": "a.jpg", "labels": [["cat"]]}', r"expected a list of label names, or .*, found \[\['cat'\]\]"),
        ('{"image": "a.jpg", "labels": {"cat": 0.5}}', "expected 1, 0, -1, true, .* for label 'cat', found '0.5'"),
    ],
)  # fmt: skip
def test_other_lines(tmp_path, line, message):
    with pytest.raises(DataError, match=rf"^.*a.jsonl, line 2: {message}"):
        list(read(tmp_path, f'{{"image": "a.jpg", "labels": []}}\n{line}\n').rows())


COCO = {
    "images": [{"id": 7, "file_name": "b.jpg"}, {"id": 2, "file_name": "a.jpg"}, {"id": 9, "file_name": "c.jpg"}],
    "annotations": [
        {"image_id": 7, "category_id": 90, "iscrowd": 0},
        {"image_id": 7, "category_id": 13, "iscrowd": 1},
        {"image_id": 2, "category_id": 13, "iscrowd": 0},
    ],
    "categories": [{"id": 90, "name": "brush"}, {"id": 13, "name": "stop sign"}],
}
#: File name, content, flags; the labels, the images and their rows.
KINDS = [
    ("list.csv", "image_name,tags\na.jpg,haze primary\nb.jpg,clear primary water\n", {"separator": "space"},
     ["clear", "haze", "primary", "water"], {"a.jpg": [0, 1, 1, 0], "b.jpg": [1, 0, 1, 1]}),
    ("lists.csv", "filepath,labels\na.jpg,\"['clouds', 'sky']\"\nb.jpg,\"['sky']\"\n", {},
     ["clouds", "sky"], {"a.jpg": [1, 1], "b.jpg": [0, 1]}),
    ("long.csv", "image,label\na.jpg,cat\na.jpg,dog\nb.jpg,cat\n", {},
     ["cat", "dog"], {"a.jpg": [1, 1], "b.jpg": [1, 0]}),
    ("numbers.csv", "image,labels\na.jpg,10;9\nb.jpg,2\n", {},
     ["2", "9", "10"], {"a.jpg": [0, 1, 1], "b.jpg": [1, 0, 0]}),
    ("chexpert.csv", "Path,Edema,Fracture\na.jpg,1.0,\nb.jpg,-1.0,0.0\nc.jpg,,1.0\n", {},
     ["Edema", "Fracture"], {"a.jpg": [1, 0], "b.jpg": [-1, 0], "c.jpg": [0, 1]}),
    ("voc.csv", "name,aeroplane,car,person\na,-1,1,0\nb,1,-1,-1\n", {},
     ["aeroplane", "car", "person"], {"a.jpg": [0, 1, -1], "b.jpg": [1, 0, 0]}),
    ("bools.csv", "image,cat,dog\na.jpg,True,False\nb.jpg,false,true\n", {},
     ["cat", "dog"], {"a.jpg": [1, 0], "b.jpg": [0, 1]}),
    ("ones.csv", "image,cat,dog\na.jpg,1,\nb.jpg,,1\n", {}, ["cat", "dog"], {"a.jpg": [1, 0], "b.jpg": [0, 1]}),
    ("pairs.csv", "ImageID,LabelName,Confidence\na,cat,1\na,dog,0\nb,dog,1\n", {"empty": "unknown"},
     ["cat", "dog"], {"a.jpg": [1, 0], "b.jpg": [-1, 1]}),
    ("celeba.txt", "2\nBald Young \na.jpg -1  1\nb.jpg  1 -1\n", {},
     ["Bald", "Young"], {"a.jpg": [0, 1], "b.jpg": [1, 0]}),
    ("inline.txt", "a.jpg 0 1 0\nb.jpg 1 0 1\n", {}, ["0", "1", "2"], {"a.jpg": [0, 1, 0], "b.jpg": [1, 0, 1]}),
    ("ids.txt", "a.jpg 0 12\nb.jpg 3\n", {}, ["0", "3", "12"], {"a.jpg": [1, 0, 1], "b.jpg": [0, 1, 0]}),
    ("words.txt", "a.jpg cat dog\nb.jpg dog\n", {}, ["cat", "dog"], {"a.jpg": [1, 1], "b.jpg": [0, 1]}),
    ("comma.txt", "a.jpg,0,1\nb.jpg,1,1\n", {}, ["0", "1"], {"a.jpg": [0, 1], "b.jpg": [1, 1]}),
    ("ids.json", '[{"file_name": "a.jpg", "labels": [0, 2]}, {"file_name": "b.jpg", "labels": [1]}]', {},
     ["0", "1", "2"], {"a.jpg": [1, 0, 1], "b.jpg": [0, 1, 0]}),
    ("names.json", '{"a.jpg": ["dog"], "b.jpg": []}', {}, ["dog"], {"a.jpg": [1], "b.jpg": [0]}),
    ("coco.json", json.dumps(COCO), {},
     ["stop sign", "brush"], {"a.jpg": [1, 0], "b.jpg": [1, 1], "c.jpg": [0, 0]}),
    ("coco.json", json.dumps(COCO), {"crowd": "drop"},
     ["stop sign", "brush"], {"a.jpg": [1, 0], "b.jpg": [0, 1], "c.jpg": [0, 0]}),
    ("part.jsonl", '{"image": "a.jpg", "labels": {"cat": 1, "dog": 0}}\n{"image": "b.jpg", "labels": {"dog": 1}}\n',
     {"empty": "unknown"}, ["cat", "dog"], {"a.jpg": [1, 0], "b.jpg": [-1, 1]}),
    ("windows.csv", "image,cat\nsub\\d.jpg,1\n./a.jpg,0\n", {}, ["cat"], {"sub/d.jpg": [1], "a.jpg": [0]}),
]  # fmt: skip


@pytest.fixture(autouse=True)
def images(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("a.jpg", "b.jpg", "c.jpg", "sub/d.jpg"):
        (tmp_path / name).write_bytes(b"")


def source_of(path, text, **flags):
    path.write_text(text)
    return own_data({"train": OwnSplit(path)}, reading=Reading(**flags))


def rows_of(source, split="train"):
    samples = source.splits[split]()
    found = {sample.name: sample.labels.tolist() for sample in samples}
    assert len(samples) == len(found), "each image comes once"
    return found


@pytest.mark.parametrize(("name", "text", "flags", "labels", "rows"), KINDS, ids=[kind[0] for kind in KINDS])
def test_kinds_of_annotations(tmp_path, name, text, flags, labels, rows):
    source = source_of(tmp_path / name, text, **flags)
    assert source.class_names == labels
    assert rows_of(source) == rows
    assert source.unknown_labels == any(-1 in row for row in rows.values())
    assert source.options == flags


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "image,tags\na.jpg,haze primary\n", r"'haze primary' can be read in two ways: .* --separator none"),
        ("a.csv", "image,x,y\na.jpg,-1,0\nb.jpg,1,0\n", r"-1 can be read in two ways: absent, .* --minus-one unknown"),
        ("a.csv", "image,x,y\na.jpg,1,0\nb.jpg,,0\n", r"a label without a value, .* in two ways: .* --empty unknown"),
        ("a.csv", "image,label\na.jpg,0\nb.jpg,1\n", r"'0' in column 'label' can be read in two ways: .* values$"),
        (
            "a.csv",
            "image,x,y\na.jpg,1,0\na.jpg,0,1\n",
            r"'a.jpg' stands in several rows that differ: label 'x' is '1' "
            r"in .*a.csv, line 2 and '0' here \(2 such labels in all\); .*, give --repeats present; else --repeats unk",
        ),
        (
            "a.txt",
            "a.jpg 1\nb.jpg 0\n",
            r"'1' after the name can be read in three ways: .*--train-labels\); give the flag$",
        ),
        ("a.txt", "a.jpg 0 1\nb.jpg 1 0\n", r"'0 1' can be read in two ways: as a value for each label, or as numbers"),
    ],
)
def test_two_readings_are_refused(tmp_path, name, text, message):
    with pytest.raises(DataError, match=rf"^.*{name}.*: {message}"):
        source_of(tmp_path / name, text)


@pytest.mark.parametrize(
    ("repeats", "row"), [("present", [1, 1, 0]), ("unknown", [-1, -1, 0]), ("last", [0, 1, 0])]
)  # of 1 0 0 and 0 1 0
def test_rows_of_one_image_that_differ(tmp_path, repeats, row):
    text = "image,x,y,z\na.jpg,1,0,0\nb.jpg,0,0,1\na.jpg,0,1,0\nb.jpg,0,0,1\n"
    source = source_of(tmp_path / "a.csv", text, repeats=repeats)
    assert rows_of(source) == {"a.jpg": row, "b.jpg": [0, 0, 1]}
    assert source.unknown_labels == (repeats == "unknown")
    assert source.notes == [
        "train: a column per label",
        "train: 2 images stand in several rows, which are joined: 'a.jpg' 2 times, 'b.jpg' 2 times",
        f"train: 2 labels in which rows of one image differ: x in {tmp_path}/a.csv, line 4, y in {tmp_path}/a.csv, "
        "line 4",
    ]


def test_splits_may_have_different_formats(tmp_path):
    (tmp_path / "train.csv").write_text("image,labels\na.jpg,dog;cat\nsub/d.jpg,\n")
    (tmp_path / "val.jsonl").write_text('{"image": "b.jpg", "labels": {"dog": -1, "cat": 1}}\n')
    (tmp_path / "list.txt").write_text("a.jpg\n")
    (tmp_path / "labels.txt").write_text("1 -1\n")
    splits = {
        "train": OwnSplit(tmp_path / "train.csv"),
        "val": OwnSplit(tmp_path / "val.jsonl"),
        "test": OwnSplit(tmp_path / "list.txt", tmp_path / "labels.txt"),
    }
    source = own_data(splits, tmp_path, ["dog", "cat"])
    assert [rows_of(source, split) for split in splits] == [
        {"a.jpg": [1, 1], "sub/d.jpg": [0, 0]}, {"b.jpg": [0, 1]}, {"a.jpg": [1, 0]},
    ]  # fmt: skip
    assert "1 images are in train and in test: 'a.jpg'" in source.notes
    assert source.notes[-1] == "-1 means absent (2 cells)"


def test_one_table_for_several_splits(tmp_path):
    (tmp_path / "all.csv").write_text("image,label,split\na.jpg,cat,train\nb.jpg,dog,train\nc.jpg,dog,val\n")
    table = OwnSplit(tmp_path / "all.csv")
    source = own_data({"train": table, "test": OwnSplit(tmp_path / "all.csv", rows="val")})
    assert [rows_of(source, split) for split in ("train", "test")] == [
        {"a.jpg": [1, 0], "b.jpg": [0, 1]}, {"c.jpg": [0, 1]},
    ]  # fmt: skip


def test_a_folder_of_folders(tmp_path):
    root = tmp_path / "labelled"
    for label in ("b", "a"):
        (root / label).mkdir(parents=True)
        (root / label / "x.jpg").write_bytes(b"")
    source = own_data({"train": OwnSplit(root)})
    np.testing.assert_array_equal([sample.labels for sample in source.splits["train"]()], np.eye(2))


def test_absolute_names_under_the_root(tmp_path):
    source = source_of(tmp_path / "a.csv", f"image,cat\n{tmp_path}/sub/d.jpg,1\n")
    assert rows_of(source) == {"sub/d.jpg": [1]}


def test_a_label_that_training_has_not(tmp_path):
    (tmp_path / "train.csv").write_text("image,labels\na.jpg,dog;cat\n")
    (tmp_path / "test.csv").write_text("image,labels\nc.jpg,cow\n")
    splits = {"train": OwnSplit(tmp_path / "train.csv"), "test": OwnSplit(tmp_path / "test.csv")}
    with pytest.raises(
        DataError, match=r"^.*test.csv, line 2: expected one of 2 labels, found 'cow'; give a file with all labels, one"
    ):
        own_data(splits)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.xyz", "", r"^.*a.xyz: expected a folder, .csv, .*, or an image list with its label file; name the label"),
        ("a.txt", "a.jpg\nb.jpg\n", r"^.*a.txt: expected labels after each image name, found names alone; name the "),
        ("a.csv", "image,cat\n", r"^.*a.csv: expected a row per image below the header, found none"),
        ("a.json", "[]", r"^.*a.json: expected a row per image in the annotations, found none"),
        ("a.json", '{"a.jpg": ["cat"], "a.jpg": ["dog"]}', r"^.*a.json: expected each key .* once, found 'a.jpg' more"),
        ("a.json", '{"a": 1}\n{"a": 1}\n', r"^.*a.json: expected JSON, found Extra data.* per line is called .jsonl$"),
        ("a.csv", "image,cat,cat\na.jpg,1,0\n", r"^.*a.csv: expected label names, each once, found 'cat' 2 times"),
        ("a.json", "7", r"^.*a.json: expected MS-COCO's members .*; found int$"),
        ("a.json", '{"images": [], "info": 1}', r"^.*a.json: expected MS-COCO's .*; found dict with images, info$"),
        ("a.json", "[" * 100_000, r"^.*a.json: expected annotations in JSON, found lists nested too deeply to be any"),
        ("a.json", '{"a.jpg": 3}', r"^.*a.json: 'a.jpg': expected a list of label names, or an object .*, found 3"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(tmp_path, name, text, message):
    with pytest.raises(CaffeError, match=message):
        source_of(tmp_path / name, text)


def test_no_split():
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


@pytest.mark.parametrize(
    ("name", "text", "flags", "labels", "rows"),
    [
        ("vectors.csv", 'image,labels\na.jpg,"[0, 1, 1]"\nb.jpg,"[1, 0, 0]"\n', {},
         ["0", "1", "2"], {"a.jpg": [0, 1, 1], "b.jpg": [1, 0, 0]}),
        ("words.txt", "a.jpg hot dog, cat\nb.jpg cat\n", {},
         ["cat", "hot dog"], {"a.jpg": [1, 1], "b.jpg": [1, 0]}),
        ("words.txt", "a.jpg hot dog; cat, small\n", {},
         ["cat, small", "hot dog"], {"a.jpg": [1, 1]}),
        ("words.txt", "a.jpg hot dog\nb.jpg cat\n", {"separator": "none"},
         ["cat", "hot dog"], {"a.jpg": [0, 1], "b.jpg": [1, 0]}),
        ("excel.csv", "sep=;\nimage;cat\na.jpg;1\nb.jpg;0\n", {}, ["cat"], {"a.jpg": [1], "b.jpg": [0]}),
    ],
)  # fmt: skip
def test_rarer_kinds_of_annotations(tmp_path, name, text, flags, labels, rows):
    source = source_of(tmp_path / name, text, **flags)
    assert sorted(source.class_names) == labels
    assert rows_of(source) == rows


def test_labels_alike_in_case_or_blanks(tmp_path):
    source = source_of(tmp_path / "a.csv", "image,labels\na.jpg,Cat;hot dog;cow\nb.jpg,cat;hotdog\n")
    assert source.notes[-1] == (
        "labels that differ in case or blanks alone, taken as different ones: 'Cat' and 'cat', 'hot dog' and 'hotdog'"
    )


def test_names_given_for_values_without_a_header(tmp_path):
    (tmp_path / "a.csv").write_text("a.jpg,1,0\nb.jpg,0,1\n")
    splits = {"train": OwnSplit(tmp_path / "a.csv")}
    assert own_data(splits, class_names=["cat", "dog"]).class_names == ["cat", "dog"]
    with pytest.raises(CaffeError, match=r"^.*a.csv: expected 3 values in a row, one for each label name, found 2$"):
        own_data(splits, class_names=["cat", "dog", "cow"])
