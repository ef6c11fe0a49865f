"""Layers that share a weight, trained as the SRN authors' Caffe does it, beside loops in float64."""

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffe_compat.errors import GraphError, SolverError
from caffe_compat.net.sharers import part_sharers
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.solver import Solver
from caffe_compat.solvers.solver_nets import shares_weights

Array = np.ndarray[Any, np.dtype[Any]]

ITEMS, INPUTS, OUTPUTS = 5, 4, 3
RATE, DECAY = 0.04, 0.03
#: lr_mult and decay_mult of the weight in the owner and in its sharer; biases are not there.
OWNER, SHARER = (1.5, 2.0), (0.5, 3.0)


def text(fork: str = "mem_param { }", sharer: tuple[float, float] = SHARER, mode: str = "") -> str:
    """`a` and `b` read other inputs with one weight."""
    shape = f"shape {{ dim: {ITEMS} dim: {INPUTS} }}"
    target = f"shape {{ dim: {ITEMS} dim: {OUTPUTS} }}"

    def product(name: str, lr_and_decay: tuple[float, float]) -> str:
        lr, decay = lr_and_decay
        return f"""layer {{ name: "{name}" type: "InnerProduct" bottom: "x{name}" top: "y{name}"
          param {{ name: "w" lr_mult: {lr} decay_mult: {decay} {mode} }} inner_product_param {{ num_output: {OUTPUTS}
            bias_term: false {"transpose: true" if mode and name == "b" else ""}
            weight_filler {{ type: "gaussian" std: 0.7 }} }} }}
        layer {{ name: "loss {name}" type: "EuclideanLoss" bottom: "y{name}" bottom: "t{name}" top: "loss {name}"
          loss_weight: {1.3 if name == "a" else 0.6} }}"""

    return f"""net_param {{ name: "sharers" {fork}
      layer {{ name: "in" type: "Input" top: "xa" top: "xb" top: "ta" top: "tb"
        input_param {{ {shape} {shape} {target} {target} }} }}
      {product("a", OWNER)} {product("b", sharer)} }}"""


def make(solver_text: str, net_text: str | None = None, engine: str = "exact") -> Solver:
    """A solver with random inputs and weights, the same at every call."""
    parameter = text_format.Parse((net_text or text()) + solver_text, caffe_pb2.SolverParameter())
    parameter.random_seed, parameter.lr_policy = 11, "fixed"
    solver = Solver(parameter, engine)
    random = np.random.RandomState(5)
    for name in ("xa", "xb", "ta", "tb"):
        solver.net.blobs[name].data[...] = random.randn(*solver.net.blobs[name].shape)
    return solver


def sgd(kept: dict[str, Array], gradient: Array, rate: float) -> Array:
    kept["history"] = 0.9 * kept.get("history", 0) + rate * gradient
    return kept["history"]


def adagrad(kept: dict[str, Array], gradient: Array, rate: float) -> Array:
    kept["history"] = kept.get("history", 0) + gradient**2
    return rate * gradient / (np.sqrt(kept["history"]) + 1e-8)


RULES: dict[str, tuple[str, Callable[[dict[str, Array], Array, float], Array]]] = {
    "SGD": ("momentum: 0.9", sgd),
    "AdaGrad": ("", adagrad),
}


def gradient_of(solver: Solver, name: str, weight: Array, scale: float) -> Array:
    """Of scale * sum((x w' - t)^2) / (2 N), by plain loops."""
    data, target = (solver.net.blobs[f"{blob}{name}"].data.astype(np.float64) for blob in "xt")
    gradient = np.zeros_like(weight)
    for item, wanted in zip(data, target, strict=True):
        for output in range(OUTPUTS):
            gradient[output] += scale * (float(np.dot(weight[output], item)) - wanted[output]) * item / ITEMS
    return gradient


def expected_weight(solver: Solver, rule: str, iterations: int, clip: float, passes: int) -> Array:
    """The fork's rule: the norm of the owner's gradient alone; decay and history for each; the sum of both steps."""
    weight = solver.net.params["a"][0].data.astype(np.float64)
    kept: dict[str, dict[str, Array]] = {"a": {}, "b": {}}
    for _ in range(iterations):
        gradients = {
            name: passes * gradient_of(solver, name, weight, scale) for name, scale in (("a", 1.3), ("b", 0.6))
        }
        norm = math.sqrt(sum(value**2 for value in gradients["a"].ravel()))
        if norm > clip > 0:
            gradients["a"] = gradients["a"] * (clip / norm)
        total = np.zeros_like(weight)
        for name, (lr, decay) in (("a", OWNER), ("b", SHARER)):
            regular = gradients[name] / passes + DECAY * decay * weight
            total += RULES[rule][1](kept[name], regular, RATE * lr)
        weight = weight - total
    return weight


@pytest.mark.parametrize("engine", ["exact", "fast"])
@pytest.mark.parametrize(("clip", "passes"), [(-1.0, 1), (0.8, 3)])
@pytest.mark.parametrize("rule", RULES)
def test_sharers_train_by_the_forks_rule(rule: str, clip: float, passes: int, engine: str) -> None:
    solver = make(
        f'type: "{rule}" {RULES[rule][0]} base_lr: {RATE} weight_decay: {DECAY} clip_gradients: {clip} '
        f"iter_size: {passes}",
        engine=engine,
    )
    expected = expected_weight(solver, rule, 6, clip, passes)
    solver.step(6)
    for layer in "ab":  # float32 against float64: a handful of operations in each iteration
        np.testing.assert_allclose(solver.net.params[layer][0].data, expected, rtol=3e-5, atol=3e-6)


def test_the_diff_of_each_sharer_is_its_own() -> None:
    solver = make('type: "SGD" base_lr: 0')
    solver.net.clear_parameter_gradients()
    solver.engine.forward_backward()
    weight = solver.net.params["a"][0].data.astype(np.float64)
    for layer, scale in (("a", 1.3), ("b", 0.6)):
        expected = gradient_of(solver, layer, weight, scale)
        np.testing.assert_allclose(solver.net.params[layer][0].diff, expected, rtol=1e-4, atol=1e-6)
    solver.net.params["b"][0].data[...] = 2
    assert (solver.net.params["a"][0].data == 2).all()


def test_sharers_of_other_shapes_keep_one_memory() -> None:
    solver = make('type: "SGD" base_lr: 0.1', text(mode="share_mode: PERMISSIVE"))
    solver.step(2)
    one, other = (solver.net.params[layer][0].data for layer in "ab")
    assert one.shape == (OUTPUTS, INPUTS)
    assert other.shape == (INPUTS, OUTPUTS)
    np.testing.assert_array_equal(one.ravel(), other.ravel())
    assert [learnable.label for learnable in solver.net.learnable] == ["a/0", "b/0"]


def test_a_state_has_a_history_for_each_sharer_and_goes_on_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = 'type: "Adam" momentum: 0.9 base_lr: 0.01 weight_decay: 0.1 snapshot_prefix: "s"'
    solver = make(words)
    solver.step(3)
    solver.snapshot()
    assert len(solver.updater.histories) == 4
    again = make(words)
    again.restore("s_iter_3.solverstate")
    for one in (solver, again):
        one.step(2)
    np.testing.assert_array_equal(again.net.params["b"][0].data, solver.net.params["b"][0].data)


def test_a_state_tells_where_the_text_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    words = f'type: "AdaGrad" base_lr: {RATE} weight_decay: {DECAY} snapshot_prefix: "s"'
    same = text(sharer=OWNER)
    solver = make(words, same)
    solver.step(3)
    solver.snapshot()
    again = make(words, text(fork="", sharer=OWNER))
    assert len(again.updater.histories) == 1
    again.restore("s_iter_3.solverstate")
    assert "s_iter_3.solverstate keeps a history for each layer that shares a weight" in caplog.text
    for one in (solver, again):
        one.step(2)
    np.testing.assert_array_equal(again.net.params["b"][0].data, solver.net.params["b"][0].data)


def test_a_state_of_bvlcs_is_refused_where_the_text_is_the_forks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = 'type: "SGD" base_lr: 0.1 snapshot_prefix: "s"'
    solver = make(words, text(fork="", sharer=OWNER))
    solver.step(1)
    solver.snapshot()
    with pytest.raises(
        SolverError, match=r"\(1 vs. 2\): the state keeps one history for all layers .* mem_param .*out"
    ):
        make(words).restore("s_iter_1.solverstate")


def test_who_is_meant_is_told_by_fields_of_the_fork(caplog: pytest.LogCaptureFixture) -> None:
    same = text(fork="", sharer=OWNER)
    assert len(make('base_lr: 0.1 type: "SGD"', same).net.learnable) == 1
    assert len(make('base_lr: 0.1 type: "SGD" richness: 300', same).net.learnable) == 2
    assert not caplog.text
    bn = 'layer { name: "n" type: "BN" bottom: "ya" top: "n" } layer { name: "s" type: "Silence" bottom: "n" } }'
    unsure = make('base_lr: 0.1 type: "SGD"', same[: same.rindex("}")] + bn)
    assert shares_weights(unsure.net)
    assert "net 'sharers': layers share weights, and the net has words of the SRN authors' Caffe" in caplog.text
    assert "Write mem_param { } into the net" in caplog.text


def test_other_multipliers_are_refused_unless_the_net_is_the_forks() -> None:
    with pytest.raises(GraphError, match=r"shared param 'w' has mismatched lr_mult: 1.5 at a/0, 0.5"):
        make('base_lr: 0.1 type: "SGD"', text(fork=""))


def test_a_net_that_borrows_from_parted_sharers_reads_their_weight() -> None:
    lender, borrower = (make('base_lr: 0.1 type: "SGD"', text(sharer=OWNER)).net for _ in range(2))
    joined = make('base_lr: 0.1 type: "SGD"', text(fork="", sharer=OWNER)).net
    for net in (borrower, joined):
        net.share_weights(lender)
        lender.params["b"][0].data[...] = 0.25
        assert all((net.params[layer][0].data == 0.25).all() for layer in "ab")
        assert net.learnable[0].parameter is lender.learnable[0].parameter


def test_a_move_of_device_keeps_one_memory() -> None:
    net = make('base_lr: 0.1 type: "SGD"').net
    net.double()  # as a move does: each parameter gets new memory
    for learnable in net.learnable:
        learnable.tie_views()
    owner, sharer = (net.step_of(layer).layer.blobs[0] for layer in "ab")
    with torch.no_grad():
        owner.fill_(0.5)
    assert (sharer == 0.5).all()


def test_parting_twice_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    net = make('base_lr: 0.1 type: "SGD"').net
    assert "Layers that share a weight have a gradient, decay and history each" in caplog.text
    before = [(id(one.parameter), one.owner) for one in net.learnable]
    part_sharers(net)
    assert [(id(one.parameter), one.owner) for one in net.learnable] == before
