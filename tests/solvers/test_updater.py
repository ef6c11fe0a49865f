"""Which weights move, as in Caffe; clipping, normalising and regularising beside plain loops."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffe_compat.errors import SolverError
from caffe_compat.proto.read import SolverState
from caffe_compat.proto.write import write_solver_state
from caffe_compat.solvers import update_parts
from caffe_compat.solvers.solver import Solver
from caffe_compat.solvers.update_rules.registry import Update, UpdateRule, update_rule_of
from caffe_compat.solvers.updater import check_regularization, clip, normalise, regularise
from tests.solvers.least_squares import make_solver, solver_parameter, weights_of


def fixed_solver(text: str) -> Solver:
    parameter = solver_parameter(text)
    for param in parameter.net_param.layer[1].param:
        param.lr_mult = param.decay_mult = 0
    return Solver(parameter)


def test_a_restored_history_moves_a_weight_of_rate_0() -> None:
    solver = fixed_solver('base_lr: 1 momentum: 0.5 type: "SGD"')
    before = weights_of(solver)
    solver.updater.restore([np.full((3, 4), 0.25, np.float32), np.zeros(3, np.float32)], "state")
    solver.step(2)
    after = weights_of(solver)
    np.testing.assert_allclose(after[0], before[0] - 0.125 - 0.0625, rtol=1e-6)
    np.testing.assert_array_equal(after[1], before[1])


def test_weight_decay_of_a_weight_of_rate_0_goes_to_adams_history_only() -> None:
    parameter = solver_parameter('base_lr: 1 type: "Adam" momentum: 0.9 weight_decay: 0.1')
    for param in parameter.net_param.layer[1].param:
        param.lr_mult = 0
    solver = Solver(parameter)
    before = weights_of(solver)
    solver.step(1)
    assert all(map(np.array_equal, weights_of(solver), before))
    np.testing.assert_allclose(solver.updater.histories[0], 0.1 * 0.1 * 2.0 * before[0], rtol=1e-5)


@pytest.mark.parametrize("kind", ["L1", "L2"])
def test_regularisation_is_the_solvers(kind: str) -> None:
    solver = make_solver(f'base_lr: 1 type: "SGD" weight_decay: 0.01 regularization_type: "{kind}"')
    plain = make_solver('base_lr: 1 type: "SGD"')
    before = weights_of(solver)[0]
    solver.step(1)
    plain.step(1)
    penalty = np.sign(before) if kind == "L1" else before
    difference = weights_of(plain)[0] - weights_of(solver)[0]
    np.testing.assert_allclose(difference, 1.5 * 0.01 * 2.0 * penalty, rtol=1e-3, atol=1e-6)


SHARED = """layer { name: "twin" type: "InnerProduct" bottom: "data" top: "z" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 3 } }
layer { name: "twin_loss" type: "EuclideanLoss" bottom: "z" bottom: "target" top: "twin_loss" }"""


def solver_of_shared_weights(kind: str) -> Solver:
    parameter = solver_parameter(f'base_lr: 0.1 momentum: 0.9 type: "{kind}"')
    for param, name in zip(parameter.net_param.layer[1].param, "wb", strict=True):
        param.name = name
    text_format.Merge(SHARED, parameter.net_param)
    return Solver(parameter)


def test_a_state_of_as_many_blobs_but_of_other_sizes_is_of_another_net(tmp_path: Path) -> None:
    shapes = [(3, 4), (3,), (3, 5), (3,)]
    state = tmp_path / "s_iter_7.solverstate"
    write_solver_state(state, SolverState(7, "", 0, [np.ones(shape, np.float32) for shape in shapes]))
    with pytest.raises(
        SolverError, match=r"\(4 vs. 2\): the state is of another net or of another solver type than SGD"
    ):
        solver_of_shared_weights("SGD").restore(str(state))


def tensors(seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in ((3, 4), (5,), (2, 1, 3))]


def test_clip_scales_to_the_norm_over_all_gradients(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    gradients, before = tensors(1), tensors(1)
    norm = math.sqrt(sum(float(value) ** 2 for gradient in before for value in gradient.flatten()))
    clip(gradients, 0.5)
    torch.testing.assert_close(gradients, [gradient * (0.5 / norm) for gradient in before])
    assert caplog.messages == [
        f"Gradient clipping: scaling down gradients (L2 norm {norm:g} > 0.5) by scale factor {0.5 / norm:g}"
    ]


@pytest.mark.parametrize("largest", [-1.0, 100.0])
def test_clip_leaves_small_gradients(largest: float) -> None:
    gradients = tensors(2)
    clip(gradients, largest)
    assert all(map(torch.equal, gradients, tensors(2)))


def test_normalise_divides_by_iter_size() -> None:
    gradients = tensors(3)
    normalise(gradients, 4)
    torch.testing.assert_close(gradients, [gradient / 4 for gradient in tensors(3)])


@pytest.mark.parametrize("kind", ["L1", "L2"])
def test_regularise_adds_each_weights_own_decay(kind: str) -> None:
    gradients, weights, decays = tensors(4), tensors(5), [0.3, 0.0, 0.7]
    regularise(gradients, weights, decays, kind)
    for gradient, before, weight, decay in zip(gradients, tensors(4), weights, decays, strict=True):
        penalty = weight if kind == "L2" else weight.sign()
        torch.testing.assert_close(gradient, before + decay * penalty)


def test_another_regularization_is_refused() -> None:
    with pytest.raises(SolverError, match=r"^Unknown regularization type: 'L3'; expected one of: L1, L2"):
        check_regularization("L3")


@pytest.mark.parametrize(("works_by_number", "calls"), [(False, 1), (True, 2)])
def test_only_rules_that_work_by_number_are_called_for_parts(
    works_by_number: bool, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    solver = make_solver('base_lr: 0.1 type: "SGD"')
    seen: list[Update] = []
    rule = update_rule_of("SGD")
    plain = rule.__call__
    monkeypatch.setattr(rule, "works_by_number", works_by_number)

    def watched(self: UpdateRule, update: Update) -> None:
        seen.append(update)
        plain(self, update)

    monkeypatch.setattr(rule, "__call__", watched)
    monkeypatch.setattr(update_parts, "PART", 12)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    solver.step(1)
    assert len(seen) == calls
    assert sum(weight.numel() for update in seen for weight in update.weights) == 15


@pytest.mark.parametrize("fields", ['type: "SGD" momentum: 0.8', 'type: "SGD"', 'type: "Nesterov" momentum: 0.8'])
@pytest.mark.parametrize("more", ["", "iter_size: 3", "clip_gradients: 0.5", 'regularization_type: "L1"'])
def test_the_fast_engine_moves_weights_alike_and_keeps_its_gradients(fields: str, more: str) -> None:
    text = f"base_lr: 0.25 weight_decay: 0.03 {fields} {more}"
    exact, fast = make_solver(text), make_solver(text, "fast")
    for ours, theirs in zip(fast.net.learnable, exact.net.learnable, strict=True):
        ours.parameter.data.copy_(theirs.parameter.data)
    exact.step(4)
    fast.step(4)
    for found, expected in zip(weights_of(fast), weights_of(exact), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for found, expected in zip(fast.updater.histories, exact.updater.histories, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("is_asked", [True, False])
def test_only_a_snapshot_of_diffs_makes_steps_of_the_fast_engines_gradients(is_asked: bool) -> None:
    solver = make_solver(f'base_lr: 0.25 type: "SGD" momentum: 0.8 snapshot_diff: {str(is_asked).lower()}', "fast")
    solver.step(2)
    steps = [np.array_equal(*both) for both in zip(_diffs(solver), solver.updater.histories, strict=True)]
    assert steps == [is_asked] * len(steps)


def _diffs(solver: Solver) -> list[np.ndarray]:
    return [np.array(blob.diff) for blob in solver.net.params["ip"]]
