"""The map of the paper: every file, name, flag and command in it exists, and nothing of the paper is left out."""

import re
from pathlib import Path

import pytest

from caffe_compat.cli.commands.reproduce import parser
from caffe_compat.cli.start import COMMANDS
from caffe_compat.experiments.compared.rows import rows_of
from caffe_compat.experiments.tables.paper_numbers import PAPER_TABLES
from prototxt_gen.options import DEFAULTS, flag

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/paper_map.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"`([^`]+)`", TEXT)
#: How many sentences each section has.
SENTENCES = {"3.1": 9, "3.2": 28, "3.3": 21, "3.4": 19, "4.1": 25, "4.2": 43, "4.3": 14}
FILES = sorted({quoted for quoted in QUOTED if re.fullmatch(r"[\w/]+/[\w/]+\.(py|js|html|md)(:\w+)?", quoted)})
FLAGS = {flag(name) for name in DEFAULTS} | {"--count", "--write"}


@pytest.mark.parametrize("pointer", FILES)
def test_files_and_names_exist(pointer: str) -> None:
    path, _, name = pointer.partition(":")
    assert (ROOT / path).is_file()
    if name:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert re.search(rf"^(def|class) {name}\b|^{name}\b", text, re.MULTILINE), f"{path} has no {name}"


def test_flags_and_commands_exist() -> None:
    own = {option for action in parser()._actions for option in action.option_strings}
    for quoted in QUOTED:
        words = quoted.split()
        known = FLAGS | own if words[0] == "caffe-compat" else FLAGS
        if words[0] == "caffe-compat":
            assert words[1] in COMMANDS, quoted
            assert words[1] != "reproduce" or parser().parse_args(words[2:])
        if words[0].startswith("--") or words[:2] == ["caffe-compat", "generate"]:
            assert {word for word in words if word.startswith("--")} <= known, quoted


def test_every_sentence_of_sections_3_1_to_4_3_is_there() -> None:
    covered: dict[str, list[int]] = {section: [] for section in SENTENCES}
    for section, first, last in re.findall(r"^\| (\d\.\d): (\d+)(?:-(\d+))? \|", TEXT, re.MULTILINE):
        covered[section] += range(int(first), int(last or first) + 1)
    assert covered == {section: list(range(1, count + 1)) for section, count in SENTENCES.items()}


def test_equations_figures_tables_and_methods_are_there() -> None:
    firsts = [line.split("|")[1].strip() for line in TEXT.splitlines() if line.startswith("| ")]
    numbers = {int(number) for first in firsts for number in re.findall(r"\b\d+\b", first) if "3." not in first}
    assert set(range(1, 11)) <= numbers
    for number in range(1, 8):
        assert re.search(rf"Figures? [\d, to]*{number}|^\| [\d, and]*\b{number}\b", TEXT, re.MULTILINE)
    for name, table in PAPER_TABLES.items():
        assert f"Table {name}" in TEXT
        compared = {method.name for method in rows_of(int(name)).values()}
        assert compared <= set(table.rows)
        for title in compared | {title for title in table.rows if title.startswith("ResNet")}:
            assert title.replace("*", r"\*") in TEXT or title in TEXT, title
