"""Updates in parts beside the same updates in one piece."""

import pytest
import torch

from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.update_parts import parts
from caffe_compat.solvers.update_rules.registry import Update, create_update_rule, solver_types

SHAPES = [(3,), (40,), (5, 6, 2, 3), (2, 2), (700,), (7,)]
SIZE = 64


def random_update(seed: int, innermost: bool = True) -> Update:
    """An update of weights of SHAPES, with all tensors of the fourth axis channels-last or only the weights."""
    generator = torch.Generator().manual_seed(seed)

    def tensors(innermost: bool) -> list[torch.Tensor]:
        values = [torch.rand(shape, generator=generator) + 0.1 for shape in SHAPES]
        return [v.to(memory_format=torch.channels_last) if v.dim() == 4 and innermost else v for v in values]

    return Update(
        tensors(innermost),
        tensors(innermost),
        tensors(innermost),
        [0.1 * (index + 1) for index in range(len(SHAPES))],
        4,
        tensors(True),
        [0.01 * index for index in range(len(SHAPES))],
    )


@pytest.mark.parametrize("innermost", [True, False])
@pytest.mark.parametrize("kind", solver_types())
def test_every_rule_computes_the_same_in_parts(kind: str, innermost: bool) -> None:
    parameter = caffe_pb2.SolverParameter(type=kind, momentum2=0.97, delta=1e-3, rms_decay=0.9)
    if kind not in ("AdaGrad", "RMSProp"):
        parameter.momentum = 0.7
    rule = create_update_rule(parameter)
    whole, cut = random_update(3, innermost), random_update(3, innermost)
    rule(whole)
    for part in parts(cut, SIZE):
        rule(part)
    for name in ("gradients", "history", "second_history"):
        for expected, found in zip(getattr(whole, name), getattr(cut, name), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_parts_hold_every_number_once_and_few_at_a_time() -> None:
    update = random_update(5)
    seen = 0
    for part in parts(update, SIZE):
        assert sum(weight.numel() for weight in part.weights) <= SIZE
        assert len(part.weights) == len(part.rates) == len(part.decays) == len(part.second_history)
        seen += sum(weight.numel() for weight in part.weights)
        for weight in part.weights:
            weight.sub_(1000)
    assert seen == sum(weight.numel() for weight in update.weights)
    assert all(bool((weight < -998).all() and (weight > -1001).all()) for weight in update.weights)


def test_rates_and_decays_stay_with_their_weights() -> None:
    update = random_update(7)
    for part in parts(update, SIZE):
        for weight, rate, decay in zip(part.weights, part.rates, part.decays, strict=True):
            index = update.rates.index(rate)
            assert decay == update.decays[index]
            assert weight.untyped_storage().data_ptr() == update.weights[index].untyped_storage().data_ptr()


def test_tensors_in_different_orders_stay_whole() -> None:
    update = random_update(9, innermost=False)
    assert (5, 6, 2, 3) in [tuple(weight.shape) for part in parts(update, SIZE) for weight in part.weights]


def test_rules_with_one_history_and_few_weights_are_one_part() -> None:
    weights = [torch.ones(4), torch.ones(2)]
    update = Update(
        [torch.ones(4), torch.ones(2)], [torch.zeros(4), torch.zeros(2)], [], [1.0, 2.0], 0, weights, [0, 0]
    )
    (part,) = parts(update)
    assert part == update
