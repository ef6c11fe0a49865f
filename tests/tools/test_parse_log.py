import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOG = ROOT / "tests" / "goldens" / "bvlc" / "logs" / "caffe_train.log"


@pytest.fixture
def run(monkeypatch):
    """Runs the program; returns its exit status."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["parse_log.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / "tools" / "parse_log.py"), run_name="__main__")
        return ended.value.code

    return run


def test_writes_two_tables(run, tmp_path, capsys) -> None:
    assert run(LOG, tmp_path, "--verbose", "--delimiter", ";") == 0
    train, test = tmp_path / "caffe_train.log.train", tmp_path / "caffe_train.log.test"
    assert capsys.readouterr().out == f"Wrote {train}\nWrote {test}\n"
    assert train.read_text().splitlines()[0] == "NumIters;Seconds;LearningRate;loss"
    assert len(train.read_text().splitlines()) == 6
    assert len(test.read_text().splitlines()) == 4


def test_is_silent_without_verbose(run, tmp_path, capsys) -> None:
    assert run(LOG, tmp_path) == 0
    assert capsys.readouterr().out == ""


def test_a_missing_log(run, tmp_path, capsys) -> None:
    assert run(tmp_path / "absent.log", tmp_path) == 1
    assert capsys.readouterr().err.endswith(
        "absent.log: cannot read the log (No such file or directory); check the path\n"
    )


def test_a_delimiter_of_two_characters(run, tmp_path, capsys) -> None:
    assert run(LOG, tmp_path, "--delimiter", "::") == 2
    assert "argument --delimiter: expected one character, found '::'" in capsys.readouterr().err
