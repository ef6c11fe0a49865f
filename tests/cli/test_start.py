"""The table of commands, and how one is started."""

import ast
import importlib
import sys
from pathlib import Path

import pytest

from caffe_compat.cli.program import CAFFES, COMMANDS, TOOLS, module_name, program_name
from tests.cli.conftest import Program, Run
from tests.cli.messages import messages

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "caffe_compat/cli/commands"


def test_every_module_is_a_command_and_every_command_a_module() -> None:
    assert {module_name(name).rpartition(".")[2] for name in COMMANDS} == {
        file.stem for file in FOLDER.glob("*.py") if file.stem != "__init__"
    }


def test_every_program_of_tools_is_a_command_but_the_one_that_runs_in_other_pythons() -> None:
    assert set(TOOLS) == {file.stem for file in (ROOT / "tools").glob("*.py")} - {"record_blobs"}
    for tool in TOOLS:
        calls = [
            node for node in ast.walk(ast.parse((ROOT / f"tools/{tool}.py").read_text())) if isinstance(node, ast.Call)
        ]
        assert any(isinstance(call.func, ast.Name) and call.func.id == "start_tool" for call in calls), tool


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_has_an_example_that_the_parser_takes_part_by_part(name: str, program: Program) -> None:
    status, printed, errors = program(name, "--help")
    assert (status, errors) == (0, "")
    assert f"caffe-compat {name}" in printed
    assert printed.startswith(f"usage: caffe-compat {name} ")


@pytest.mark.parametrize("name", sorted(CAFFES))
def test_help_of_caffes_commands_shows_only_their_own_flags(name: str, program: Program) -> None:
    _, printed, _ = program(name, "--help")
    parser = importlib.import_module(module_name(name)).parser()
    assert ("--solver" in printed) == (name == "train")
    assert ("--iterations" in printed) == (name in ("test", "time"))
    assert ("--iterations" in [option for action in parser._actions for option in action.option_strings]) == (
        name in ("train", "test", "time", "device_query")
    )


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"], ["-h"]])
def test_help_lists_the_commands(arguments: list[str], program: Program) -> None:
    status, printed, _ = program(*arguments)
    assert status == 0
    assert all(f"  {name} " in printed for name in COMMANDS)


def test_underscores_and_dashes_are_alike(program: Program) -> None:
    assert program("device-query")[0] == program("device_query")[0] == 0
    assert program("parse_log", "--help")[1] == program("parse-log", "--help")[1]


def test_an_unknown_command_gets_the_nearest_name(program: Program) -> None:
    status, printed, errors = program("tarin")
    assert (status, printed) == (2, "")
    assert errors.startswith("caffe-compat: unknown command 'tarin'; did you mean 'train'?\n")
    assert program("qqq")[2].startswith("caffe-compat: unknown command 'qqq'\n")


def test_a_wrong_command_line_is_one_fatal_line_of_the_log(run: Run) -> None:
    status, log = run("test", "--model=m")
    assert status == 2
    assert log.startswith("F")
    assert messages(log) == ["Need model weights to score."]


def test_a_flag_without_effect_is_a_warning(run: Run) -> None:
    status, log = run("device_query", "--iterations=3")
    assert status == 0
    assert messages(log)[0] == "--iterations has no effect on this command"


@pytest.mark.parametrize(("asked", "lines"), [("0", 1), ("1", 1), ("3", 1), ("9", 1), ("x", 1)])
def test_glog_minloglevel(asked: str, lines: int, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOG_minloglevel", asked)
    status, log = run("train")
    assert status == 2
    assert len(log.splitlines()) == lines


@pytest.mark.parametrize(
    ("program_file", "expected"),
    [
        ("/a/tools/evaluate.py", "evaluate.py"),
        ("/a/__main__.py", "caffe-compat evaluate"),
        ("predict.py", "caffe-compat evaluate"),
    ],
)
def test_the_name_of_the_program(program_file: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [program_file])
    assert program_name("evaluate") == expected
