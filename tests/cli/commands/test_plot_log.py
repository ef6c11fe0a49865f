"""`plot-log`."""

from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.data.made_files import read_picture

LOG = Path(__file__).parents[2] / "goldens" / "bvlc" / "logs" / "caffe_train.log"


def test_draws_several_logs(program: Program, tmp_path: Path) -> None:
    assert program("plot-log", 6, tmp_path / "loss.png", LOG, LOG)[0] == 0
    assert read_picture(tmp_path / "loss.png").any()


def test_lists_the_charts(program: Program) -> None:
    status, printed, _ = program("plot-log", "--help")
    assert status == 0
    assert "  5: Train learning rate vs. Seconds\n" in printed


@pytest.mark.parametrize(
    ("chart", "status", "message"),
    [
        (0, 1, "caffe_train: expected test accuracy, found the"),
        (8, 1, "caffe_train: expected test metrics, found the test outputs "),
        (10, 2, "argument chart_type: invalid choice: 10 (choose "),
    ],
)
def test_an_error_is_one_line(program: Program, tmp_path: Path, chart: int, status: int, message: str) -> None:
    got, _, errors = program("plot-log", chart, tmp_path / "chart.png", LOG)
    assert got == status
    assert errors.startswith(f"caffe-compat plot-log: {message}")


def test_a_log_whose_training_has_ended_is_followed_once(program: Program, tmp_path: Path) -> None:
    assert program("plot-log", 6, tmp_path / "loss.png", LOG, "--follow", 1)[0] == 0
    assert read_picture(tmp_path / "loss.png").any()
