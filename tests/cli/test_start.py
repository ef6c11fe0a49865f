"""The table of commands, how one is started, and how it ends: Ctrl-C, closed pipes, unexpected errors."""

import argparse
import ast
import gc
import importlib
import io
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from caffe_compat.__main__ import main
from caffe_compat.cli.parser import CommandParser, UsageError
from caffe_compat.cli.start import (
    CAFFES,
    CLOSED_PIPE,
    COMMANDS,
    DONE,
    FAILED,
    INTERRUPTED,
    TOOLS,
    WRONG_USAGE,
    guarded,
    module_name,
    program_name,
    run_command,
    run_program,
)
from caffe_compat.errors import DataError
from tests.cli.conftest import Program, Run
from tests.cli.messages import messages


def parser() -> CommandParser:
    return CommandParser(prog="program")


def failing(error: BaseException) -> NoReturn:
    raise error


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (KeyboardInterrupt(), INTERRUPTED, "program: interrupted"),
        (DataError("bad.lmdb: no"), FAILED, "program: bad.lmdb: no"),
        (FileNotFoundError(2, "No such file", "a"), FAILED, "program: a: No such file"),
        (
            UnicodeEncodeError("utf-8", "\udce9t\u00e9", 0, 1, "surrogates not allowed"),
            FAILED,
            "program: expected text in UTF-8, found '\\udce9t\u00e9'",
        ),
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


def wait_for_work(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Waits until the process has used so many seconds of the processor, however busy the machine is."""
    ticks = seconds * os.sysconf("SC_CLK_TCK")
    while process.poll() is None:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        if int(fields[11]) + int(fields[12]) >= ticks:  # in user and in system mode
            return
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.2, 0.8])  # earlier, Python itself may not have started yet
def test_ctrl_c_at_any_time_is_one_line(seconds: float, tmp_path: Path) -> None:
    command = [*PROGRAM, "generate", "--all", "--out", str(tmp_path)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_for_work(process, seconds)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == b"caffe-compat generate: interrupted\n"


def test_ctrl_c_during_the_first_imports_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("caffe_compat.cli.start.start", interrupted)
    assert main() == 130
    assert capsys.readouterr().err == "caffe-compat: interrupted\n"


@pytest.mark.slow
def test_closed_standard_streams_are_no_error_and_no_file_gets_their_numbers(tmp_path: Path) -> None:
    command = shlex.join([*PROGRAM, "generate", "--model", "resnet101", "--dataset", "coco", "--out", str(tmp_path)])
    done = subprocess.run(["sh", "-c", f"exec {command} <&- >&- 2>&-"], env=ENVIRONMENT, check=False)
    assert done.returncode == 0
    assert list(tmp_path.glob("*.prototxt"))


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


FOLDER = ROOT / "caffe_compat/cli/commands"


def test_every_module_is_a_command_and_every_command_a_module() -> None:
    assert {module_name(name).rpartition(".")[2] for name in COMMANDS} == {
        file.stem for file in FOLDER.glob("*.py") if file.stem != "__init__"
    }


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_garbage_collector_rests_only_while_a_command_is_imported(
    is_enabled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = []

    class Module:
        @staticmethod
        def main(arguments: Sequence[str]) -> int:
            met.append(gc.isenabled())
            return 3

    def import_module(name: str) -> type[Module]:
        met.append(gc.isenabled())
        return Module

    monkeypatch.setattr(importlib, "import_module", import_module)
    if not is_enabled:
        gc.disable()
    try:
        assert run_command("summary", []) == 3
    finally:
        gc.enable()
    assert met == [False, is_enabled]
    assert gc.get_freeze_count() == 0


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


#: They print one answer, or leave the flags to the script that they start.
WITHOUT_QUIET = {"completion", "doctor", "prepare", "record", "run"}  # `prepare coco` has it


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_may_be_asked_to_be_quiet(name: str) -> None:
    parser = importlib.import_module(module_name(name)).parser()
    flags = [flag for action in parser._actions for flag in action.option_strings]
    assert ("--quiet" in flags) == (name not in WITHOUT_QUIET)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"record", "run"}))
def test_a_flag_that_does_not_exist_is_wrong_usage(name: str, program: Program) -> None:
    status, printed, errors = program(name, "--helb")
    assert (status, printed) == (WRONG_USAGE, "")
    assert "--help" in errors


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
    assert program("--hlep")[2].startswith("caffe-compat: unknown command '--hlep'; did you mean '--help'?\n")


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
