from pathlib import Path

import pytest

from caffe_compat.errors import DataError
from caffe_compat.logs.parsing.charts import CHARTS, QUANTITIES, write_chart
from caffe_compat.logs.parsing.reader import Row, TrainingLog
from tests.data.made_files import read_picture


def log():
    outputs = {"accuracy": 0.5, "loss_cls": 2.0, "loss_att": 3.0}
    tests = {0: [Row(0, 0.5, 0.1, outputs), Row(10, 5.0, 0.1, outputs)], 1: [Row(10, 6.0, 0.1, {"loss_cls": 1.0})]}
    losses = [Row(0, 1.0, 0.1, {"loss": 4.0}), Row(20, 2.0, 0.1, {"loss": 3.0}), Row(10, 4.0, 0.01, {"loss": 2.0})]
    return TrainingLog(losses=losses, tests=tests)


def test_charts_are_numbered_as_caffes() -> None:
    assert CHARTS[0] == ("Test accuracy", "Iters")
    assert CHARTS[3] == ("Test loss", "Seconds")
    assert CHARTS[4] == ("Train learning rate", "Iters")
    assert CHARTS[7] == ("Train loss", "Seconds")


def test_every_loss_of_every_test_net_is_a_curve() -> None:
    labels = [curve.label for curve in QUANTITIES["Test loss"](log())]
    assert labels == ["test net #0 loss_cls", "test net #0 loss_att", "test net #1 loss_cls"]


@pytest.mark.parametrize(("quantity", "values"), [("Train loss", [4.0, 2.0]), ("Train learning rate", [0.1, 0.01])])
def test_what_a_resumed_run_went_over_again_is_left_out(quantity: str, values: list[float]) -> None:
    (curve,) = QUANTITIES[quantity](log())
    assert curve.iterations == [0, 10]
    assert curve.seconds == [1.0, 4.0]
    assert curve.values == values


@pytest.mark.parametrize("number", range(8))
def test_writes_a_picture(tmp_path: Path, number: int) -> None:
    write_chart(number, [("first", log()), ("second", log())], tmp_path / "chart.png")
    picture = read_picture(tmp_path / "chart.png")
    assert picture is not None
    assert picture.shape == (600, 960, 3)


@pytest.mark.parametrize(
    ("tests", "complaint"),
    [
        (
            {0: [Row(0, 0.5, 0.1, {"map": 0.5})]},
            r"^run: expected test accuracy, found the test outputs map; choose another",
        ),
        ({}, r"^run: expected test accuracy, found no test; set test_interval"),
    ],
)
def test_nothing_to_show(tmp_path: Path, tests: dict[int, list[Row]], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        write_chart(0, [("run", TrainingLog(tests=tests))], tmp_path / "chart.png")


def test_names_are_no_formulas_and_may_hold_any_letter(tmp_path: Path) -> None:
    write_chart(6, [("$\\foo{$ \u732b", log())], tmp_path / "chart.png")
    assert read_picture(tmp_path / "chart.png").shape == (600, 960, 3)
