"""The page of commands says what the parsers say now."""

from pathlib import Path

from caffe_compat.cli.command_page import page
from caffe_compat.cli.start import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "command_line.md"


def test_the_page_is_fresh() -> None:
    assert PAGE.read_text() == page(), "run python -m caffe_compat.cli docs/command_line.md"


def test_every_command_has_its_section_and_its_example() -> None:
    sections = PAGE.read_text().split("\n### ")[1:]
    assert [section.split("\n")[0] for section in sections] == list(COMMANDS)
    assert [section.split("\n")[0] for section in sections if "caffe-compat" not in section] == []
