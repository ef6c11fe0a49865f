import logging
import re

import pytest

from caffe_compat.errors import SolverError
from caffe_compat.logs.log_file import log_to_file

logger = logging.getLogger("caffe_compat")


def test_lines_go_to_the_end_of_the_file_while_the_block_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(logger, "level", logging.INFO)
    path = tmp_path / "a.log"
    path.write_text("before\n")
    with log_to_file(str(path)):
        logger.info("Iteration %d, lr = %g", 3, 0.1)
    logger.info("after")

    first, second = path.read_text().splitlines()
    assert first == "before"
    assert re.fullmatch(r"I\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ \w+\.cpp:\d+\] Iteration 3, lr = 0\.1", second)


def test_no_file_is_no_error_and_a_wrong_one_is(tmp_path):
    with log_to_file(""):
        assert not list(tmp_path.iterdir())
    with (
        pytest.raises(
            SolverError, match=r"^.*/no/a.log: cannot write the log: No such file or directory; name a file in"
        ),
        log_to_file(str(tmp_path / "no" / "a.log")),
    ):
        pass
