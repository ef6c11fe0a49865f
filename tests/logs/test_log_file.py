"""Lines go to the end of a file, and no failure of the file ends the work that they tell of."""

import logging
import os
import re
from pathlib import Path

import pytest

from caffe_compat.errors import DataError
from caffe_compat.logs.glog import log_to_stderr
from caffe_compat.logs.log_file import log_to_file, open_to_append

logger = logging.getLogger("caffe_compat")


def test_lines_go_to_the_end_of_the_file_while_the_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logger, "level", logging.INFO)
    path = tmp_path / "a.log"
    path.write_text("before\n")
    with log_to_file(str(path)):
        logger.info("Iteration %d, lr = %g", 3, 0.1)
    logger.info("after")

    first, second = path.read_text().splitlines()
    assert first == "before"
    assert re.fullmatch(r"I\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ \w+\.cpp:\d+\] Iteration 3, lr = 0\.1", second)


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(
            DataError, match=r"^.*/no/a.log: cannot write the log: No such file or directory; name a file in"
        ),
        log_to_file(str(tmp_path / "no" / "a.log")),
    ):
        pass


def test_a_pipe_is_refused_at_once_with_a_reader_or_without(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="/pipe: cannot write the events: it is a pipe or a socket; name"):
        open_to_append(pipe, "the events")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(DataError, match="/pipe: cannot write the log: it is a pipe; name a file"):
        open_to_append(pipe, "the log")
    os.close(reader)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(DataError, match="cannot write the log: embedded null byte; name a file"):
        open_to_append("a\0b", "the log")


def test_a_full_disk_is_told_once_and_ends_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "level", logging.INFO)
    log_to_stderr()
    with log_to_file("/dev/full"):
        for iteration in range(3):
            logger.info("Iteration %d", iteration)
    said = [line.split("] ")[1] for line in capsys.readouterr().err.splitlines()]
    refusal = "/dev/full: cannot write the log: No space left on device. Training goes on"
    assert sorted(said) == [refusal, "Iteration 0", "Iteration 1", "Iteration 2"]
