"""Smoothed losses, the text of outputs, and the same figures for observers."""

from pathlib import Path

import pytest
import torch

from caffe_compat.logs.parsing.reader import read_log
from caffe_compat.net.net import Net
from caffe_compat.solvers.display import (
    Display,
    Observer,
    ResultOfTest,
    SmoothedLoss,
    Speed,
    describe_output,
    name_elements,
    output_names,
    output_values,
)
from tests.solvers.least_squares import make_solver


def test_the_smoothed_loss_is_the_mean_of_the_last() -> None:
    smoothed = SmoothedLoss(3)
    assert smoothed.value() == 0
    means = []
    for loss in (2.0, 4.0, 9.0, 5.0):
        smoothed.add(torch.tensor(loss, requires_grad=True))
        means.append(smoothed.value())
    assert means == pytest.approx([2, 3, 5, 6])


def test_speed_counts_from_the_last_display(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([10.0, 14.0, 14.0, 14.0])
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    speed = Speed(20)
    assert speed.report(30, 10) == "(2.5 iter/s, 4s/10 iters)"
    speed.restart(30)
    assert speed.report(40, 10) == "(0 iter/s, 0s/10 iters)"


def test_outputs_have_a_name_an_element() -> None:
    net = make_solver("base_lr: 1").net
    assert output_names(net) == ["loss"]
    assert output_values(net).shape == (1,)
    assert describe_output(net, "loss", 0.5) == "loss = 0.5 (* 1.3 = 0.65 loss)"
    assert describe_output(net, "y", 123456.78) == "y = 123457"


class Recorder(Observer):
    def __init__(self) -> None:
        self.displays: list[Display] = []
        self.tests: list[ResultOfTest] = []
        self.batches: list[tuple[int, str]] = []

    def on_display(self, display: Display) -> None:
        self.displays.append(display)

    def on_test_batch(self, index: int, net: Net) -> None:
        self.batches.append((index, net.phase))

    def on_test(self, result: ResultOfTest) -> None:
        self.tests.append(result)


def test_the_elements_of_a_blob_have_names_of_their_own() -> None:
    named = name_elements(["loss", "acc", "acc", "acc"], [1.0, 2.0, 3.0, 4.0])
    assert named == {"loss": 1.0, "acc": 2.0, "acc[1]": 3.0, "acc[2]": 4.0}


def test_observers_see_every_display_and_test(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "caffe_compat")
    solver = make_solver("base_lr: 0.01 display: 2 max_iter: 5 average_loss: 2 test_iter: 3 test_interval: 4")
    recorder = Recorder()
    solver.observers += [recorder, Observer()]
    solver.step(5)
    (tmp_path / "run.log").write_text("\n".join(caplog.messages))
    log = read_log(tmp_path / "run.log")

    assert [(display.iteration, display.iterations) for display in recorder.displays] == [(0, 0), (2, 2), (4, 2)]
    assert all(display.seconds > 0 for display in recorder.displays)
    assert [display.learning_rate for display in recorder.displays] == pytest.approx([0.01] * 3)
    assert [f"{display.loss:g}" for display in recorder.displays] == [f"{row.outputs['loss']:g}" for row in log.losses]
    for display, row in zip(recorder.displays, log.train, strict=True):
        assert {name: f"{value:g}" for name, value in display.outputs.items()} == {
            name: f"{value:g}" for name, value in row.outputs.items()
        }
    assert [result.iteration for result in recorder.tests] == [0, 4]
    assert recorder.batches == [(0, "TEST")] * 6
    for result, row in zip(recorder.tests, log.tests[0], strict=True):
        assert f"{result.outputs['loss']:g}" == f"{row.outputs['loss']:g}"
        assert result.loss == pytest.approx(1.3 * result.outputs["loss"], rel=1e-6)
