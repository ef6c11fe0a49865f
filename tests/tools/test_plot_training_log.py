import runpy
import sys
from pathlib import Path

import cv2
import pytest

ROOT = Path(__file__).parents[2]
LOG = ROOT / "tests" / "goldens" / "bvlc" / "logs" / "caffe_train.log"


@pytest.fixture
def run(monkeypatch):
    """Runs the program; returns its exit status."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["plot_training_log.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(ROOT / "tools" / "plot_training_log.py"), run_name="__main__")
        return ended.value.code

    return run


def test_draws_several_logs(run, tmp_path) -> None:
    assert run(6, tmp_path / "loss.png", LOG, LOG) == 0
    assert cv2.imread(str(tmp_path / "loss.png")) is not None


def test_lists_the_charts(run, capsys) -> None:
    assert run("--help") == 0
    assert "  5: Train learning rate vs. Seconds\n" in capsys.readouterr().out


def test_an_error_is_one_line(run, tmp_path, capsys) -> None:
    assert run(0, tmp_path / "accuracy.png", LOG) == 1
    assert capsys.readouterr().err.startswith("plot_training_log.py: caffe_train: expected test accuracy, found the")


def test_an_unknown_chart(run, tmp_path, capsys) -> None:
    assert run(8, tmp_path / "chart.png", LOG) == 2
    assert "argument chart_type: invalid choice: 8" in capsys.readouterr().err
