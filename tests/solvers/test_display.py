"""Smoothed losses and the text of outputs."""

import pytest
import torch

from caffe_compat.solvers.display import SmoothedLoss, Speed, describe_output, output_names, output_values
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
