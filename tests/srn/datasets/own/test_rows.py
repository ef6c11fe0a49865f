import os

import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.rows import text_lines


def test_text_of_another_encoding(tmp_path):
    (tmp_path / "a.csv").write_bytes("é".encode("latin-1"))
    with pytest.raises(
        DataError, match=r"^.*a.csv: cannot read the annotations: .*; expected text in UTF-8; iconv -f WIN"
    ):
        list(text_lines(tmp_path / "a.csv"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_text(tmp_path, encoding):
    (tmp_path / "a.csv").write_bytes("é,ü\r\nx,1\r\n".encode(encoding))
    assert list(text_lines(tmp_path / "a.csv")) == ["é,ü\r\n", "x,1\r\n"]


def test_text_that_ends_within_a_character(tmp_path):
    (tmp_path / "a.csv").write_bytes("image".encode("utf-16")[:-1])
    with pytest.raises(DataError, match=r"^.*a.csv: cannot read the annotations: .*truncated data; expected text"):
        list(text_lines(tmp_path / "a.csv"))


@pytest.mark.parametrize(("make", "found"), [(os.mkfifo, "a pipe"), (os.mkdir, "a folder")])
def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path, make, found):
    make(tmp_path / "a.csv")
    with pytest.raises(DataError, match=rf"^.*a.csv: cannot read the annotations: expected a file, found {found}"):
        list(text_lines(tmp_path / "a.csv"))
