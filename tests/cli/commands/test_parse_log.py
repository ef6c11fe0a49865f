"""`parse-log`."""

from pathlib import Path

import pytest

from tests.cli.conftest import Program

LOG = Path(__file__).parents[2] / "goldens" / "bvlc" / "logs" / "caffe_train.log"


def test_writes_two_tables(program: Program, tmp_path: Path) -> None:
    train, test = tmp_path / "caffe_train.log.train", tmp_path / "caffe_train.log.test"
    done = program("parse-log", LOG, tmp_path, "--verbose", "--delimiter", ";")
    assert done == (0, f"Wrote {train}\nWrote {test}\n", "")
    assert train.read_text().splitlines()[0] == "NumIters;Seconds;LearningRate;loss"
    assert len(train.read_text().splitlines()) == 6
    assert len(test.read_text().splitlines()) == 4


def test_is_silent_without_verbose(program: Program, tmp_path: Path) -> None:
    assert program("parse-log", LOG, tmp_path) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("absent.log",), 1, "absent.log: cannot read the log (No such file or directory); check the path\n"),
        ((LOG, "--delimiter", "::"), 2, "argument --delimiter: expected one character, found '::'\n"),
    ],
)
def test_errors(program: Program, tmp_path: Path, arguments: tuple[object, ...], status: int, message: str) -> None:
    assert program("parse-log", *arguments, tmp_path) == (status, "", f"caffe-compat parse-log: {message}")
