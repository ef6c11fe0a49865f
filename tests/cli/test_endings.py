"""Ctrl-C, closed pipes, and errors that nobody expected."""

import argparse
import io
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from caffe_compat.cli.endings import CLOSED_PIPE, DONE, FAILED, INTERRUPTED, WRONG_USAGE, guarded
from caffe_compat.cli.parser import CommandParser, UsageError
from caffe_compat.cli.program import run_program
from caffe_compat.errors import DataError


def parser() -> CommandParser:
    return CommandParser(prog="program")


def failing(error: BaseException) -> NoReturn:
    raise error


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (KeyboardInterrupt(), INTERRUPTED, "program: interrupted"),
        (DataError("bad.lmdb: no"), FAILED, "program: bad.lmdb: no"),
        (FileNotFoundError(2, "No such file", "a"), FAILED, "program: [Errno 2] No such file: 'a'"),
        (UsageError("give one"), WRONG_USAGE, "program: give one"),
    ],
)
def test_an_error_is_one_line(error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(parser(), lambda _: failing(error), []) == status
    assert capsys.readouterr().err == f"{line}\n"


def test_an_unexpected_error_is_one_line_and_a_file_has_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run_program(parser(), lambda _: failing(ZeroDivisionError("by zero")), []) == FAILED
    line = capsys.readouterr().err
    assert line.startswith("program: unexpected ZeroDivisionError: by zero; please report it with ")
    (kept,) = tmp_path.iterdir()
    assert line.endswith(f"{kept}\n")
    assert kept.read_text().startswith("Traceback")
    assert kept.stat().st_mode & 0o077 == 0


def test_what_an_interrupted_command_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(parser(), lambda _: failing(KeyboardInterrupt()), [], interrupted="run it again") == INTERRUPTED
    assert capsys.readouterr().err == "program: run it again\n"


def test_a_closed_pipe_is_silent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def print_into_it(_: argparse.Namespace) -> int:
        print("text")
        return DONE

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    assert run_program(parser(), print_into_it, []) == CLOSED_PIPE
    assert guarded("program", lambda: print("text")) == DONE  # what follows is thrown away
    monkeypatch.undo()
    assert capsys.readouterr().err == ""


def test_help_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(parser(), lambda _: FAILED, ["--help"]) == DONE
    assert capsys.readouterr().out.startswith("usage: program")
