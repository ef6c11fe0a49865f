import re
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.metrics.text_matrices import UNKNOWN, label_rows, read_labels, read_scores


def written(tmp_path, text):
    path = tmp_path / "numbers.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize("text", ["1.5 -2 3e-1\n4 5 -inf\n", "1.5\t-2  3e-1 \n\n4 5 -inf", "1.5,-2,0.3\n4, 5,-inf\n"])
def test_blanks_tabs_commas_and_empty_lines(tmp_path: Path, text: str) -> None:
    np.testing.assert_array_equal(read_scores(written(tmp_path, text)), [[1.5, -2, 0.3], [4, 5, -np.inf]])


def test_one_column_and_one_line_stay_two_dimensional(tmp_path: Path) -> None:
    assert read_scores(written(tmp_path, "1\n2\n3\n")).shape == (3, 1)
    assert read_scores(written(tmp_path, "1 2 3\n")).shape == (1, 3)


def test_labels_are_read_as_written_by_octave_too(tmp_path: Path) -> None:
    labels = read_labels(written(tmp_path, " 1.0000000e+00 0\n-1 0\n"))
    assert labels.dtype == np.int8
    assert labels.tolist() == [[1, 0], [-1, 0]]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1 2\n\n3\n", "line 3: expected 2 numbers, as in the first line, found 1; a run that was cut short"),
        ("1 2\n3 4 5\n", "line 2: expected 2 numbers, as in the first line, found 3; a run that was cut short"),
        ("1 2\n3 x4\n", "line 2: expected a number in column 2, found 'x4'; the file may hold numbers only"),
        ("person car\n1 2\n", "line 1: expected a number in column 1, found 'person'; the file may hold numbers only"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError, match="^" + re.escape(f"{path}, {complaint}")):
        read_scores(path)


def test_a_score_that_is_not_a_number(tmp_path: Path) -> None:
    path = written(tmp_path, "1 2\n\n3 nan\n")
    complaint = f"{path}, line 3, column 2: expected a score, found NaN; a net that diverged writes NaN"
    with pytest.raises(DataError, match="^" + re.escape(complaint)):
        read_scores(path)


def test_a_label_of_another_value(tmp_path: Path) -> None:
    path = written(tmp_path, "1 0\n0 0.5\n")
    complaint = f"{path}, line 2, column 2: expected a label of 1, 0 or -1, found 0.5; if these are scores"
    with pytest.raises(DataError, match="^" + re.escape(complaint)):
        read_labels(path)


def test_an_empty_file(tmp_path: Path) -> None:
    path = written(tmp_path, "\n \n")
    with pytest.raises(
        DataError, match="^" + re.escape(f"{path}: expected one line of numbers per image, found an empty")
    ):
        read_scores(path)


def test_a_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "absent.txt"
    with pytest.raises(DataError, match="^" + re.escape(f"{path}: cannot be read (No such file or directory); check")):
        read_scores(path)


def test_a_mixture_of_separators(tmp_path: Path) -> None:
    path = written(tmp_path, "1 2\n3,4\n")
    with pytest.raises(
        DataError, match="^" + re.escape(f"{path}: expected numbers separated by blanks or commas, found")
    ):
        read_scores(path)


@pytest.mark.parametrize(("ignore", "cell"), [(-1, "-1"), (0.0, "0.0"), (255, "255"), (float("nan"), "nan")])
def test_one_value_can_mean_unknown(tmp_path: Path, ignore: float, cell: str) -> None:
    other = "0" if ignore == -1 else "-1"
    labels = read_labels(written(tmp_path, f"1 {cell}\n{other} 1\n"), ignore)
    assert labels.tolist() == [[1, UNKNOWN], [int(other), 1]]


def test_an_unknown_value_that_is_not_announced(tmp_path: Path) -> None:
    path = written(tmp_path, "1 0\n255 0\n")
    complaint = (
        f"{path}, line 2, column 1: expected a label of 1, 0 or -1, found 255; if these are scores, give them as "
        "--predictions; if the value means unknown, give it as --ignore"
    )
    with pytest.raises(DataError, match="^" + re.escape(complaint) + "$"):
        read_labels(path)


def test_rows_come_line_by_line(tmp_path: Path) -> None:
    path = written(tmp_path, "1 0 -1\n\n0.0 1.0 1\n1 0 7\n")
    rows = label_rows(path)
    assert [(number, row.tolist()) for number, row in (next(rows), next(rows))] == [(1, [1, 0, -1]), (3, [0, 1, 1])]
    with pytest.raises(DataError, match="line 4, column 3: expected a label of 1, 0 or -1, found 7; if these are"):
        next(rows)


def test_rows_of_another_width(tmp_path: Path) -> None:
    rows = label_rows(written(tmp_path, "1 0\n1\n"))
    next(rows)
    with pytest.raises(DataError, match="line 2: expected 2 numbers, as in the first line, found 1; a run that was"):
        next(rows)
