from pathlib import Path

import pytest

from caffe_compat.convert.rename.names_file import read_names
from caffe_compat.errors import FormatError


@pytest.mark.parametrize("text", ["\ufeffa b\r\nc d\r\n", "# new names\na b\n\nc\td # why\n", ' {"a": "b", "c": "d"}'])
def test_lines_and_json(text: str, tmp_path: Path) -> None:
    (tmp_path / "n").write_text(text, encoding="utf-8")
    names = read_names(str(tmp_path / "n"))

    assert names.layers == names.blobs == {"a": "b", "c": "d"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a b\nc\n", "n: line 2: expected an old and a new name, found 1 words"),
        ("a b\na c\n", "n: line 2: 'a' has a new name already, 'b'"),
        ("{", "n: expected a JSON object of old and new names, found bad JSON: "),
        ('{"a": 1}', "n: expected a string as the new name of 'a', found 1"),
        ('{"a": ""}', "n: expected a string as the new name of 'a', found \"\""),
        ('{"a": "b", "a": "c"}', "n: 'a' has a new name already, 'b'"),
        ('{"a": ' + "[" * 100_000, "n: expected a JSON object of old and new names, found bad JSON: "),
        ("# nothing\n", "n: expected old and new names, found none; write lines 'old new'"),
        ("{}", "n: expected old and new names, found none; write lines 'old new'"),
    ],
)
def test_other_text_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "n").write_text(text)
    with pytest.raises(FormatError, match=message):
        read_names(str(tmp_path / "n"))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="n: no such file; expected a file of names"):
        read_names(str(tmp_path / "n"))
