"""Log lines have glog's form."""

import logging
import re

import pytest

from caffe_compat.logs.glog import GlogFormatter, log_to_stderr


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
    ("file", "caffes"), [("display", "solver"), ("train", "caffe"), ("learning_rate", "sgd_solver")]
)
def test_files_go_by_caffes_names(file: str, caffes: str) -> None:
    assert f" {caffes}.cpp:17] " in GlogFormatter().format(record(f"/a/{file}.py"))


def test_a_second_call_does_not_double_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("caffe_compat")
    level = logger.level
    log_to_stderr()
    log_to_stderr(logging.WARNING)
    logger.info("unheard")
    logger.warning("heard")
    logger.setLevel(level)
    assert [line.split("] ")[1] for line in capsys.readouterr().err.splitlines()] == ["heard"]
