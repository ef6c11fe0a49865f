import json
from pathlib import Path

import pytest

from caffe_compat.errors import DataError, FormatError
from caffe_compat.srn.metrics.prepared import is_prepared, read_prepared

GOOD = {"splits": {"train": {"label counts": {"cat": 5, "dog": 0}}, "test": {"label counts": {"cat": 1, "dog": 2}}}}


def folder(tmp_path, content):
    home = tmp_path / "my photos"
    home.mkdir()
    (home / "summary.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return home


def test_names_counts_and_title(tmp_path: Path) -> None:
    prepared = read_prepared(folder(tmp_path, GOOD))
    assert prepared.title == "my photos"
    assert prepared.class_names == ["cat", "dog"]
    assert prepared.training_counts is not None
    assert prepared.training_counts.tolist() == [5, 0]


def test_without_a_training_split_nothing_says_how_often_training_saw_a_label(tmp_path: Path) -> None:
    assert read_prepared(folder(tmp_path, {"splits": {"test": GOOD["splits"]["test"]}})).training_counts is None


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"splits": {}}, "expected splits with label counts, found none; prepare the folder again"),
        ({"splits": []}, "expected an object as 'splits', found list; prepare the folder again"),
        ({"splits": {"test": {}}}, "expected a member 'label counts', found none; this is another kind of file"),
        ({"splits": {"test": {"label counts": {"cat": -1}}}}, "expected a whole number of images for label 'cat'"),
        ({"splits": {"test": {"label counts": {"cat": 2**70}}}}, "expected a whole number of images for label 'cat'"),
        ({"splits": {"test": {"label counts": {"cat": True}}}}, "expected a whole number of images for label 'cat'"),
        ("{", "expected JSON, found "),
    ],
)
def test_another_kind_of_summary_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    home = folder(tmp_path, content)
    with pytest.raises(FormatError, match=f"^{home}/summary.json: {complaint}"):
        read_prepared(home)


def test_a_folder_that_was_not_prepared(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"summary.json: cannot read .*No such file"):
        read_prepared(tmp_path)


def test_made_scenes_have_names_alone(tmp_path: Path) -> None:
    assert not is_prepared(tmp_path)
    (tmp_path / "classes.txt").write_text("0\n1\n")
    assert is_prepared(tmp_path)
    prepared = read_prepared(tmp_path)
    assert (prepared.title, prepared.class_names) == (tmp_path.name, ["0", "1"])
    assert prepared.training_counts is None
    assert prepared.unknown is None
