import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own_json_lines import read_json_lines


def test_lists_and_objects(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"image": "a.jpg", "labels": ["cat", 7]}\n\n{"labels": {"cat": -1, "dog": 1}, "image": "b.jpg"}\n')
    form = read_json_lines(path)
    assert (form.class_names, form.root) == (None, tmp_path)
    assert [(row.name, row.labels) for row in form.rows()] == [
        ("a.jpg", {"cat": 1, "7": 1}),
        ("b.jpg", {"cat": -1, "dog": 1}),
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('["a.jpg"]', r'expected an object such as {"image": "a.jpg", "labels": \["cat"\]}, found \["a.jpg"\]'),
        ('{"image": "a.jpg"}', r'expected an object .*, found {"image": "a.jpg"}'),
        ("{", "expected an object .*, found {"),
        (
            '{"image": "a.jpg", "labels": "cat"}',
            "expected a list of label names, or an object of labels and .*, found cat",
        ),
        ('{"image": null, "labels": []}', r'expected an object .*, found {"image": null, "labels": \[\]}'),
        ('{"image": "a.jpg", "labels": [["cat"]]}', r"expected a list of label names, or .*, found \[\['cat'\]\]"),
        ('{"image": "a.jpg", "labels": {"cat": 0.5}}', "expected 1, 0, -1 or nothing for label 'cat', found '0.5'"),
    ],
)
def test_other_lines(tmp_path, line, message):
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"image": "a.jpg", "labels": []}}\n{line}\n')
    with pytest.raises(DataError, match=rf"^.*a.jsonl, line 2: {message}"):
        list(read_json_lines(path).rows())
