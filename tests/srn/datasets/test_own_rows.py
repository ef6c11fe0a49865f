import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own_rows import text_lines, value_of


@pytest.mark.parametrize(("cell", "value"), [("1", 1), (" 0 ", 0), ("-1", -1), ("", 0)])
def test_values(cell, value):
    assert value_of(cell, "a.csv, line 2", "cat") == value


def test_other_values():
    with pytest.raises(DataError, match=r"^a.csv, line 2: expected 1, 0, -1 or nothing for label 'cat', found 'yes'"):
        value_of("yes", "a.csv, line 2", "cat")


def test_text_of_another_encoding(tmp_path):
    (tmp_path / "a.csv").write_bytes("é".encode("latin-1"))
    with pytest.raises(DataError, match=r"^.*a.csv: cannot read the annotations: .*; expected text in UTF-8"):
        list(text_lines(tmp_path / "a.csv"))
