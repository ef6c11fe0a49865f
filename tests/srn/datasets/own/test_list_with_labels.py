from pathlib import Path

import pytest

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.datasets.own.list_with_labels import read_list


@pytest.fixture
def files(tmp_path):
    (tmp_path / "list.txt").write_text("a b.jpg 1\n\nc.jpg 2\n")
    (tmp_path / "labels.txt").write_text("0 1 0\n1 -1 1\n")
    return tmp_path / "list.txt", tmp_path / "labels.txt"


def test_labels_are_numbered_or_named(files: tuple[Path, Path]) -> None:
    form = read_list(*files)
    assert form.class_names == ["0", "1", "2"]
    assert [(row.name, dict(row.cells)) for row in form.rows()] == [
        ("a b.jpg", {"0": "0", "1": "1", "2": "0"}),
        ("c.jpg", {"0": "1", "1": "-1", "2": "1"}),
    ]
    assert next(read_list(*files, ["x", "y", "z"]).rows()).cells == {"x": "0", "y": "1", "z": "0"}


@pytest.mark.parametrize(
    ("file", "text", "error", "message"),
    [
        ("list.txt", "a.jpg 1\n", ShapeError, "list.txt: expected as many lines as .*labels.txt has, found 1"),
        ("labels.txt", "0 1 0\n", ShapeError, "labels.txt: expected as many lines as .*list.txt has, found 1"),
        ("labels.txt", "0 1 0\n1 1\n", ShapeError, "labels.txt, line 2: expected 3 numbers, as in the first line, f"),
        (
            "labels.txt",
            "0 1 0\n1 1 x\n",
            DataError,
            "labels.txt, line 2: expected 1, 0, -1, true, false or nothing for label '2'",
        ),
    ],
)
def test_files_that_do_not_fit(files, file, text, error, message):
    files[0].with_name(file).write_text(text)
    with pytest.raises(error, match=f"^.*{message}"):
        list(read_list(*files).rows())


def test_names_that_do_not_fit(files: tuple[Path, Path]) -> None:
    with pytest.raises(
        ShapeError, match=r"^.*labels.txt: expected 2 numbers per line, one for each label name, found 3"
    ):
        read_list(*files, ["x", "y"])


def test_a_label_file_with_names(files):
    files[1].write_text("a.jpg 0 1 0\nc.jpg 1 0 1\n")
    with pytest.raises(
        DataError, match=r"^.*labels.txt, line 1: expected numbers alone, a line for each .*list.txt, found the "
        r"name 'a.jpg'; a file of names and labels is given as --train, --val or --test, without a label file$"
    ):  # fmt: skip
        read_list(*files)
