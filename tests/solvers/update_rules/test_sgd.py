"""SGD beside its closed form, and the kernel that moves weights at once beside the rule."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.update_rules.registry import Update, create_update_rule
from caffe_compat.solvers.updater import regularise
from tests.solvers.least_squares import Array, Problem
from tests.solvers.update_rules.closed_form import check_rule


def sgd(problem: Problem, index: int, gradient: Array, rate: float, iteration: int) -> Array:
    history = problem.kept("history")
    history[index] = 0.8 * history[index] + rate * gradient
    return history[index]


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_sgd(engine: str) -> None:
    check_rule('type: "SGD" momentum: 0.8', sgd, engine=engine)


def double_update(rates: list[float], decays: list[float], innermost: tuple[bool, bool]) -> Update:
    """An update of four weights; `innermost` tells whether the second one and its gradient are channels-last."""
    generator = torch.Generator().manual_seed(11)

    def tensors(innermost: bool) -> list[Tensor]:
        made = [
            torch.randn(shape, generator=generator).double() for shape in ((5,), (4, 3, 2, 6), (7, 2), (3, 8, 1, 1))
        ]
        made[1] = made[1].to(memory_format=torch.channels_last) if innermost else made[1]
        return made

    weights, history, gradients = tensors(innermost[0]), tensors(innermost[0]), tensors(innermost[1])
    return Update(gradients, history, [], rates, 3, weights, decays)


def copied(update: Update) -> Update:
    return update.with_tensors(lambda tensors: [tensor.clone() for tensor in tensors])


@pytest.mark.parametrize("innermost", [(True, True), (False, True), (True, False), (False, False)])
def test_the_kernel_moves_weights_as_the_rule_does(innermost: tuple[bool, bool]) -> None:
    rule = create_update_rule(caffe_pb2.SolverParameter(type="SGD", momentum=0.7))
    update = double_update([0.25, 0.5, 0.25, 1e-6], [0.03, 0.0, 0.03, 0.125], innermost)
    expected, raw = copied(update), copied(update).gradients
    regularise(expected.gradients, expected.weights, expected.decays, "L2")
    rule(expected)
    moved = [weight - step for weight, step in zip(expected.weights, expected.gradients, strict=True)]
    versions = [weight._version for weight in update.weights]
    left = rule.move(update)
    others = [] if innermost[0] == innermost[1] else [1]
    assert [weight.data_ptr() for weight in left.weights] == [update.weights[index].data_ptr() for index in others]
    assert (left.rates, left.decays) == ([update.rates[i] for i in others], [update.decays[i] for i in others])
    for index in set(range(4)) - set(others):
        torch.testing.assert_close(update.weights[index], moved[index], rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(update.history[index], expected.history[index], rtol=1e-9, atol=1e-12)
        assert torch.equal(update.gradients[index], raw[index])
        assert update.weights[index]._version == versions[index] + 1


@pytest.mark.parametrize("rate", [1e-12, 3e-11])
def test_the_kernel_leaves_out_rates_that_it_would_round(rate: float) -> None:
    update = double_update([0.5, rate, rate, 0.5], [0.1] * 4, (True, True))
    left = create_update_rule(caffe_pb2.SolverParameter(type="SGD", momentum=0.7)).move(update)
    assert left.rates == [rate, rate]


def test_a_rate_of_0_moves_weights_by_their_history_alone() -> None:
    update = double_update([0.0] * 4, [0.1] * 4, (True, True))
    expected = [weight - 0.5 * history for weight, history in zip(update.weights, update.history, strict=True)]
    left = create_update_rule(caffe_pb2.SolverParameter(type="SGD", momentum=0.5)).move(update)
    assert not left.weights
    for weight, moved in zip(update.weights, expected, strict=True):
        torch.testing.assert_close(weight, moved)


def test_without_momentum_or_without_the_kernel_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    update = double_update([0.5] * 4, [0.1] * 4, (True, True))
    assert create_update_rule(caffe_pb2.SolverParameter(type="SGD")).move(update) is update
    monkeypatch.delattr(torch, "_fused_sgd_")
    left = create_update_rule(caffe_pb2.SolverParameter(type="SGD", momentum=0.5)).move(update)
    assert left == replace(update)
