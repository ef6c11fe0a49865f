"""Log lines have glog's form."""

import errno
import io
import logging
import re
import sys
from pathlib import Path

import pytest

from caffe_compat.logs.glog import DUMP, TERMINAL, GlogFormatter, log_to_stderr
from caffe_compat.logs.log_file import log_to_file

logger = logging.getLogger("caffe_compat")


def record(path: str, level: int = logging.INFO) -> logging.LogRecord:
    made = logging.LogRecord("caffe_compat", level, path, 17, "Iteration %d", (3,), None)
    made.created = 1.25
    return made


def test_a_line_is_one_of_glogs() -> None:
    line = GlogFormatter().format(record("/somewhere/solver.py"))
    assert re.fullmatch(r"I\d{4} \d\d:\d\d:01\.250000 +\d+ solver\.cpp:17\] Iteration 3", line)


@pytest.mark.parametrize(
    ("level", "letter"), [(logging.WARNING, "W"), (logging.ERROR, "E"), (logging.CRITICAL, "F"), (logging.DEBUG, "I")]
)
def test_severities(level: int, letter: str) -> None:
    assert GlogFormatter().format(record("x.py", level)).startswith(letter)


@pytest.mark.parametrize(
    ("file", "caffes"), [("display", "solver"), ("train", "caffe"), ("start", "caffe"), ("learning_rate", "sgd_solver")]
)
def test_files_go_by_caffes_names(file: str, caffes: str) -> None:
    assert f" {caffes}.cpp:17] " in GlogFormatter().format(record(f"/a/{file}.py"))


def test_a_second_call_does_not_double_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    level = logger.level
    log_to_stderr()
    log_to_stderr(logging.WARNING)
    logger.info("unheard")
    logger.warning("heard")
    logger.setLevel(level)
    assert [line.split("] ")[1] for line in capsys.readouterr().err.splitlines()] == ["heard"]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_shows_one_line_for_the_dump_of_a_net_and_a_file_the_dump(
    is_terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(stderr, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", stderr)
    log_to_stderr()
    with log_to_file(str(tmp_path / "log")):
        logging.getLogger(DUMP).info("Creating Layer conv1")
        logging.getLogger(TERMINAL).info("Net: 1 layer")
        logging.getLogger("caffe_compat").info("Iteration 0")
    shown = [line.split("] ")[1] for line in stderr.getvalue().splitlines()]
    assert shown == (["Net: 1 layer", "Iteration 0"] if is_terminal else ["Creating Layer conv1", "Iteration 0"])
    kept = [line.split("] ")[1] for line in (tmp_path / "log").read_text().splitlines()]
    assert kept == ["Creating Layer conv1", "Iteration 0"]


class Full(io.StringIO):
    """A stream whose disk is full."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_that_cannot_be_written_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Full())
    log_to_stderr()
    logger.error("Iteration 0")
