"""The table of commands."""

import importlib.util

import pytest

from caffe_compat.cli.commands import COMMANDS, run_command
from tests.cli.conftest import Run
from tests.cli.messages import messages


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_a_module_that_says_how_to_use_it(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert importlib.util.find_spec(f"caffe_compat.cli.{name}") is not None
    module = importlib.import_module(f"caffe_compat.cli.{name}")
    assert module.USAGE.startswith(name)
    if module.FLAGS is not None:
        assert run_command([name, "--help"]) == 0
        assert module.USAGE in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--help"], ["help"]])
def test_help_lists_the_commands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(arguments) == 0
    printed = capsys.readouterr().out
    assert all(f"  {name} " in printed for name in COMMANDS)


def test_an_unknown_command_is_an_error(run: Run) -> None:
    status, log = run("tarin")
    assert status == 1
    assert messages(log)[0] == "Unknown action: tarin"


def test_an_error_of_ours_is_one_fatal_line(run: Run) -> None:
    status, log = run("test", "--model=m")
    assert status == 1
    assert log.startswith("F")
    assert messages(log) == ["Need model weights to score."]


@pytest.mark.parametrize(("asked", "lines"), [("0", 1), ("1", 1), ("3", 1), ("9", 1), ("x", 1)])
def test_glog_minloglevel(asked: str, lines: int, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOG_minloglevel", asked)
    status, log = run("train")
    assert status == 1
    assert len(log.splitlines()) == lines
