import os

import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.rows import text_lines


def test_text_of_another_encoding(tmp_path):
    (tmp_path / "a.csv").write_bytes("é".encode("latin-1"))
    with pytest.raises(DataError, match=r"^.*a.csv: cannot read the annotations: .*; expected text in UTF-8"):
        list(text_lines(tmp_path / "a.csv"))


@pytest.mark.parametrize(("make", "found"), [(os.mkfifo, "a pipe"), (os.mkdir, "a folder")])
def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path, make, found):
    make(tmp_path / "a.csv")
    with pytest.raises(DataError, match=rf"^.*a.csv: cannot read the annotations: expected a file, found {found}"):
        list(text_lines(tmp_path / "a.csv"))
