"""Tables on a terminal and in a file."""

import pytest

from caffe_compat.terminal.table import print_table


def test_columns_are_aligned_and_nothing_is_wrapped_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    long = "w" * 300
    print_table(("name", "number", "note"), [("a", "1", ""), ("[red]b", "100", long)], numbers=("number",))
    assert capsys.readouterr().out.splitlines() == [
        "name    number  note",
        "a            1",
        f"[red]b     100  {long}",
    ]
