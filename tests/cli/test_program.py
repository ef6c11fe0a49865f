"""Ctrl-C, closed pipes, and errors that nobody expected."""

import argparse
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

import pytest

from caffe_compat.cli.parser import CommandParser, UsageError
from caffe_compat.cli.program import CLOSED_PIPE, DONE, FAILED, INTERRUPTED, WRONG_USAGE, guarded, run_program
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


ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
PROGRAM = [sys.executable, "-m", "caffe_compat"]


@pytest.mark.slow
def test_the_reader_of_the_output_goes_away() -> None:
    with subprocess.Popen([*PROGRAM, "generate", "--all", "--count"], env=ENVIRONMENT, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (141, b"")


@pytest.mark.slow
@pytest.mark.parametrize("delay", [0.7, 1.5])  # earlier, Python itself may not have started yet
def test_ctrl_c_at_any_time_is_one_line(delay: float, tmp_path: Path) -> None:
    command = [*PROGRAM, "generate", "--all", "--out", str(tmp_path)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == b"caffe-compat generate: interrupted\n"


@pytest.mark.slow
def test_the_current_folder_is_no_source_of_modules(tmp_path: Path) -> None:
    for name in ("torch", "numpy", "cv2"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module ran')")
    done = subprocess.run([*PROGRAM, "device_query"], env=ENVIRONMENT, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["evaluate", "parse_log"])
def test_a_program_of_tools_runs_from_any_folder(tool: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / f"{tool}.py"), "--nothing"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{tool}.py: unknown flag '--nothing'; ")
