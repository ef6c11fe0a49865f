"""Messages of errors are short and printable, whatever a file holds."""

from caffe_compat.errors import CaffeError, DataError


def test_long_words_are_cut_and_raw_bytes_are_shown_as_escapes() -> None:
    assert str(DataError("line 1: found 'a\x1b\udce9b'\nmore")) == "line 1: found 'a\\x1b\\udce9b'\nmore"
    words = str(CaffeError(f"no field '{'A' * 5000}'; give another"))
    assert len(words) < 250
    assert words.startswith("no field 'AAA")
    assert words.endswith("'; give another")
    assert str(CaffeError("größer als 3")) == "größer als 3"
