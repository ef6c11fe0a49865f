"""The training loop: what it logs, when it tests and snapshots, and that it can be cut and joined anywhere."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from caffe_compat.errors import SolverError
from caffe_compat.solvers.actions import Action
from caffe_compat.solvers.solver import Callback, Solver
from tests.solvers.least_squares import make_solver, solver_parameter, weights_of

RULES = [
    'type: "SGD" momentum: 0.8 lr_policy: "multistep" gamma: 0.5 stepvalue: [2, 5, 7]',
    'type: "Nesterov" momentum: 0.7 lr_policy: "exp" gamma: 0.9',
    'type: "AdaGrad" lr_policy: "inv" gamma: 0.2 power: 0.5',
    'type: "RMSProp" rms_decay: 0.7 lr_policy: "step" stepsize: 3 gamma: 0.5',
    'type: "AdaDelta" momentum: 0.9 delta: 0.01',
    'type: "Adam" momentum: 0.9 lr_policy: "poly" power: 1.5',
]


@pytest.mark.parametrize("snapshot_format", ["BINARYPROTO", "HDF5"])
@pytest.mark.parametrize("rule", RULES)
def test_2k_iterations_are_k_then_resume_then_k(rule: str, snapshot_format: str, tmp_path: Path) -> None:
    text = (
        f'{rule} base_lr: 0.05 weight_decay: 0.01 max_iter: 20 snapshot_prefix: "{tmp_path}/s" '
        f"snapshot_format: {snapshot_format}"
    )
    whole = make_solver(text)
    whole.step(5)
    whole.snapshot()
    whole.step(5)
    resumed = make_solver(text)
    resumed.net.params["ip"][0].data[...] = 9  # must come from the file
    (state,) = tmp_path.glob("s_iter_5.solverstate*")
    resumed.restore(str(state))
    assert resumed.iteration == 5
    resumed.step(5)
    assert all(map(np.array_equal, weights_of(resumed), weights_of(whole)))


def hdf5_solver(folder: Path, batch_size: int, iter_size: int) -> Solver:
    random = np.random.RandomState(2)
    with h5py.File(folder / "d.h5", "w") as file:
        file["data"] = random.randn(24, 4).astype(np.float32)
        file["target"] = random.randn(24, 3).astype(np.float32)
    (folder / "list.txt").write_text(f"{folder}/d.h5\n")
    parameter = solver_parameter(
        f"random_seed: 3 base_lr: 0.1 momentum: 0.9 weight_decay: 0.1 clip_gradients: 100 iter_size: {iter_size}"
    )
    data = parameter.net_param.layer[0]
    data.ClearField("input_param")
    data.type = "HDF5Data"
    data.hdf5_data_param.source = str(folder / "list.txt")
    data.hdf5_data_param.batch_size = batch_size
    return Solver(parameter)


def test_iter_size_2_with_batch_n_is_batch_2n(tmp_path: Path) -> None:
    halves, whole = hdf5_solver(tmp_path, 4, 2), hdf5_solver(tmp_path, 8, 1)
    for solver in (halves, whole):
        solver.step(5)
    for half, full in zip(weights_of(halves), weights_of(whole), strict=True):
        np.testing.assert_allclose(half, full, rtol=1e-5, atol=1e-6)  # another order of summation


def test_clipping_sees_the_summed_gradients(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    solver = make_solver("base_lr: 0 iter_size: 3 clip_gradients: 0.01 max_iter: 1")
    gradients = make_solver("base_lr: 0 max_iter: 1")
    gradients.step(1)
    norm = 3 * np.sqrt(sum((blob**2).sum() for blob in _gradients(gradients)))
    solver.step(1)
    (line,) = [message for message in caplog.messages if message.startswith("Gradient clipping")]
    assert f"(L2 norm {norm:.4g}"[:14] in line


def _gradients(solver: Solver) -> list[np.ndarray]:
    seen: list[np.ndarray] = []
    solver.net.clear_parameter_gradients()
    solver.engine.forward_backward()
    seen.extend(blob.diff.copy() for blob in solver.net.params["ip"])
    return seen


def test_fixed_weights_do_not_move_by_one_bit() -> None:
    parameter = solver_parameter('random_seed: 1 base_lr: 0.5 momentum: 0.9 weight_decay: 0.1 type: "SGD"')
    for param in parameter.net_param.layer[1].param:
        param.lr_mult = param.decay_mult = 0
    solver = Solver(parameter)
    solver.net.blobs["data"].data[...] = 1
    before = weights_of(solver)
    solver.step(3)
    assert all(map(np.array_equal, weights_of(solver), before))


def test_a_display_logs_caffes_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    solver = make_solver("base_lr: 0.001 display: 2 max_iter: 4 snapshot_after_train: false average_loss: 3")
    caplog.clear()
    solver.solve()
    lines = caplog.messages
    assert lines[:2] == ["Solving least_squares", "Learning Rate Policy: fixed"]
    assert lines[2].startswith("Iteration 0 (0 iter/s, ")
    assert "s/2 iters), loss = " in lines[2]
    loss = lines[2].rsplit(" ", 1)[1]
    single = f"{float(loss) / 1.3:.5g}"[:5]
    assert lines[3].startswith(f"    Train net output #0: loss = {single}")
    assert lines[3].endswith(f"(* 1.3 = {loss} loss)")
    assert lines[4] == "Iteration 0, lr = 0.001"
    assert lines[5].startswith("Iteration 2 (")
    assert lines[8].startswith("Iteration 4, loss = ")
    assert lines[9:] == ["Optimization Done."]


def test_test_nets_use_the_weights_of_the_train_net(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    solver = make_solver("base_lr: 0.01 test_iter: [2, 3] test_interval: 2 test_compute_loss: true")
    for test_net in solver.test_nets:
        for name in ("data", "target"):
            test_net.blobs[name].data[...] = solver.net.blobs[name].data
    caplog.clear()
    solver.step(3)
    assert caplog.messages[0] == "Iteration 0, Testing net (#0)"
    assert caplog.messages[3] == "Iteration 0, Testing net (#1)"
    assert caplog.messages[4].startswith("Test loss: ")
    assert caplog.messages[5].startswith("    Test net output #0: loss = ")
    assert caplog.messages[6] == "Iteration 2, Testing net (#0)"
    loss = caplog.messages[7].removeprefix("Test loss: ")
    weights = weights_of(solver)
    assert all(map(np.array_equal, weights, [blob.data for blob in solver.test_nets[1].params["ip"]]))
    assert float(loss) < float(caplog.messages[1].removeprefix("Test loss: "))


def test_without_test_initialization_the_first_test_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    solver = make_solver("base_lr: 0.01 test_iter: 1 test_interval: 2 test_initialization: false")
    solver.step(3)
    assert [line for line in caplog.messages if "Testing" in line] == ["Iteration 2, Testing net (#0)"]


def test_plateau_follows_the_test_loss() -> None:
    solver = make_solver(
        'lr_policy: "plateau" base_lr: 0.5 test_iter: 1 test_interval: 2 momentum: 0.99 type: "SGD" max_iter: 60'
    )
    test_net = solver.test_nets[0]
    for name in ("data", "target"):
        test_net.blobs[name].data[...] = solver.net.blobs[name].data
    solver.step(60)
    assert solver.schedule.current_step > 0
    assert solver.learning_rate == pytest.approx(max(0.5 * 0.1**solver.schedule.current_step, 1e-5), rel=1e-6)


def test_snapshots_fall_due_and_one_ends_training(tmp_path: Path) -> None:
    make_solver(f'base_lr: 0.01 snapshot: 2 max_iter: 5 snapshot_prefix: "{tmp_path}/s"').solve()
    states = sorted(path.name for path in tmp_path.glob("*.solverstate"))
    assert states == ["s_iter_2.solverstate", "s_iter_4.solverstate", "s_iter_5.solverstate"]
    assert len(list(tmp_path.glob("*.caffemodel"))) == 3


def test_actions_snapshot_and_stop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    solver = make_solver(f'base_lr: 0.01 max_iter: 9 snapshot_prefix: "{tmp_path}/s"')
    asked = iter([Action.NONE, Action.SNAPSHOT, Action.STOP])
    solver.requested_action = lambda: next(asked)
    solver.solve()
    assert sorted(path.name for path in tmp_path.glob("*.solverstate")) == [
        "s_iter_2.solverstate",
        "s_iter_3.solverstate",
    ]
    assert caplog.messages[-1] == "Optimization stopped early."


def test_a_stop_interrupts_a_test(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    solver = make_solver("base_lr: 0.01 max_iter: 9 test_iter: 4 test_interval: 3 snapshot_after_train: false")
    asked = iter([Action.NONE, Action.STOP])
    solver.requested_action = lambda: next(asked, Action.NONE)
    solver.solve()
    assert caplog.messages[-2:] == ["Test interrupted.", "Optimization stopped early."]
    assert solver.iteration == 0


def test_callbacks_run_before_an_iteration_and_before_its_update() -> None:
    solver = make_solver("base_lr: 0.3")
    before = weights_of(solver)
    seen: list[str] = []

    def clear() -> None:
        seen.append("ready")
        solver.net.clear_parameter_gradients()

    solver.callbacks.append(Callback(lambda: seen.append("start"), clear))
    solver.step(2)
    assert seen == ["start", "ready"] * 2
    assert all(map(np.array_equal, weights_of(solver), before))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("average_loss: 0", r"^average_loss should be at least 1, got 0"),
        ("clip_gradients: nan", r"^clip_gradients: expected a number, got nan"),
        ("iter_size: 0", r"^iter_size should be at least 1, got 0"),
        ('snapshot: 5 snapshot_prefix: "/nowhere/at/all/s"', r"^Cannot write to snapshot prefix '/nowhere/at/all/s'"),
        ("snapshot: 5", r"^In solver params, snapshot is specified but snapshot_prefix is not"),
    ],
)
def test_what_would_fail_after_hours_is_refused_at_the_start(text: str, message: str) -> None:
    with pytest.raises(SolverError, match=message):
        make_solver(text)


def test_a_display_shows_the_means_over_the_processes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    alone = make_solver("base_lr: 0.01 display: 1")
    alone.step(1)
    (shown,) = (float(line.split("loss = ")[1]) for line in caplog.messages if "iter/s" in line)
    caplog.clear()
    solver = make_solver("base_lr: 0.01 display: 1")

    def gather(value: object) -> list[object]:
        return [value, [3 * figure for figure in value]] if isinstance(value, list) else [value]

    monkeypatch.setattr(solver.workers, "gather", gather)
    solver.step(1)
    (mean,) = (float(line.split("loss = ")[1]) for line in caplog.messages if "iter/s" in line)
    assert mean == pytest.approx(2 * shown, rel=1e-4)  # %g prints six digits
    outputs = [line for line in caplog.messages if "Train net output #0: loss" in line]
    assert float(outputs[0].split()[6]) == pytest.approx(2 * shown / 1.3, rel=1e-4)


def test_a_learning_rate_that_is_no_number_stops_before_the_update() -> None:
    solver = make_solver('base_lr: 0.1 lr_policy: "inv" gamma: 1 power: inf')
    solver.step(1)
    before = weights_of(solver)
    message = r"^Iteration 1: lr_policy inv gives a learning rate of nan. The weights were not changed; this run"
    solver.parameter.base_lr = float("inf")
    with pytest.raises(SolverError, match=message):
        solver.step(1)
    assert all(map(np.array_equal, weights_of(solver), before))
