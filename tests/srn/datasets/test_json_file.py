import pytest

from caffe_compat.errors import DataError, FormatError
from caffe_compat.srn.datasets.json_file import member, read_json


def test_objects_may_be_replaced(tmp_path):
    (tmp_path / "a.json").write_text('{"a": {"b": 1, "c": 2}}')
    assert read_json(tmp_path / "a.json", len) == 1
    assert read_json(tmp_path / "a.json") == {"a": {"b": 1, "c": 2}}


def test_errors(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(DataError, match=r"^.*a.json: cannot read the annotations \(No such file or directory\); check"):
        read_json(path)
    path.write_text('{"images": [')
    with pytest.raises(FormatError, match=r"^.*a.json: expected JSON, found .*; was the download cut short"):
        read_json(path)
    path.write_text('{"image": "a.jpg"}\n{"image": "b.jpg"}\n')
    with pytest.raises(
        FormatError, match=r"^.*a.json: .*Extra data: line 2 .*; a file with an object per line is called"
    ):
        read_json(path)


def test_the_pairs_of_an_object(tmp_path):
    (tmp_path / "a.json").write_text('\ufeff{"a": 1, "a": 2}', encoding="utf-8")
    assert read_json(tmp_path / "a.json", each_pairs=len) == 2


@pytest.mark.parametrize(
    ("content", "found"), [({"info": 1, "licenses": 2}, "info, licenses"), ([1], "list"), ({}, "none")]
)
def test_a_missing_member(tmp_path, content, found):
    with pytest.raises(FormatError, match=rf"^.*a.json: expected a member 'images', found {found}; this is another"):
        member(tmp_path / "a.json", content, "images")
