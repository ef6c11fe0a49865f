import pytest

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.datasets.own.json_lines import read_json_lines
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
