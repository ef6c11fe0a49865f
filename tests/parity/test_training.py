"""Training steps on both sides."""

from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.parity.comparison import Comparison, Difference, Kind, Verdict
from caffe_compat.parity.measure import TOLERANCES
from caffe_compat.parity.own_runs import record_layers
from caffe_compat.parity.recording import Recording, read_recording
from caffe_compat.parity.training import compare_training
from caffe_compat.parity.training_runs import record_training, training_solver
from caffe_compat.proto.read import read_solver

SOLVERS = Path(__file__).resolve().parents[1] / "goldens/bvlc/solvers"
TOLERANCE = TOLERANCES["float32"]


@pytest.fixture
def solver_folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = SOLVERS / "adam"
    monkeypatch.chdir(folder)
    return folder


def against_record(case: str, monkeypatch: pytest.MonkeyPatch) -> Comparison:
    monkeypatch.chdir(SOLVERS / case)
    other = read_recording("run.npz")
    return compare_training(training_solver(read_solver("solver.prototxt"), "init.caffemodel", other), other, TOLERANCE)


@pytest.mark.parametrize("case", ["sgd_step", "sgd_exp_itersize3", "nesterov", "adadelta"])
def test_records_of_real_caffes_are_the_same(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = against_record(case, monkeypatch)
    assert comparison.agrees
    assert {row.kind for row in comparison.differences} == {Kind.LOSS, Kind.UPDATE}
    assert comparison.max_error < 1e-4


def test_a_bias_that_cannot_matter_is_called_noise_where_the_rule_normalises(monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = against_record("adagrad", monkeypatch)
    noise = [row for row in comparison.differences if row.verdict is Verdict.NOISE]
    assert [(row.layer, row.blob) for row in noise] == [("conv", "blob 1"), ("bn", "blob 0")]
    assert "AdaGrad makes full steps of what rounding leaves" in noise[0].cause
    assert comparison.max_error < 1e-4


def recorded(iterations: int = 3) -> Recording:
    return record_training(training_solver(read_solver("solver.prototxt"), "init.caffemodel", None), iterations, "it")


def compared(other: Recording) -> dict[str, Difference]:
    solver = training_solver(read_solver("solver.prototxt"), "init.caffemodel", other)
    return {f"{row.layer} {row.blob}": row for row in compare_training(solver, other, TOLERANCE).differences}


@pytest.mark.usefixtures("solver_folder")
class TestWrongTraining:
    def test_the_same_training_agrees_down_to_the_history(self) -> None:
        rows = compared(recorded())
        assert all(row.agrees for row in rows.values())
        assert [row.kind for row in rows.values()].count(Kind.HISTORY) == 18

    def test_an_update_of_another_rate_shows_its_factor(self) -> None:
        other = recorded()
        start, final = other.weights["ip/0"], other.final_weights["ip/0"]
        other.final_weights["ip/0"] = start + 2 * (final - start)
        row = compared(other)["ip blob 0"]
        assert row.verdict is Verdict.DIFFERS
        assert row.cause.startswith("a factor: the other side's values are 2")

    def test_a_first_loss_points_at_the_nets(self) -> None:
        other = recorded()
        other.losses["loss"] = other.losses["loss"] * 1.01
        row = compared(other)["loss loss"]
        assert row.cause == "in the first iteration already: compare the nets first"

    def test_later_losses_and_histories_differ_by_themselves(self) -> None:
        other = recorded()
        other.losses["loss"][-1] *= 1.1
        other.histories["0"] = other.histories["0"] * np.float32(1.5)
        rows = compared(other)
        assert rows["loss loss"].verdict is Verdict.DIFFERS
        assert "1.5 times" in rows["conv 0 of blob 0"].cause

    def test_decayed_statistics_are_told_from_other_faults(self) -> None:
        other = recorded()
        other.histories["3"] = other.histories["3"] + np.float32(0.01)
        row = compared(other)["bn 3 of blob 1"]
        assert row.verdict is Verdict.DIFFERS
        assert row.cause.startswith("running statistics: a Caffe before September 2016 (BVLC/caffe#4704) decays them")

    def test_without_a_weights_file_both_start_where_the_other_side_did(self) -> None:
        other = recorded()
        solver = training_solver(read_solver("solver.prototxt"), None, other)
        assert compare_training(solver, other, TOLERANCE).agrees

    def test_missing_weights_and_other_shapes_are_named(self) -> None:
        other = recorded()
        del other.final_weights["ip/1"], other.losses["loss"]
        other.losses["other"] = np.zeros(3)
        other.final_weights["sc/0"] = other.final_weights["sc/0"][:3]
        solver = training_solver(read_solver("solver.prototxt"), None, other)
        comparison = compare_training(solver, other, TOLERANCE)
        assert comparison.not_compared == ["ip/1 (final weights)"]
        assert comparison.first_wrong is not None
        assert comparison.first_wrong.verdict is Verdict.OTHER_SHAPE

    def test_no_files_are_written_and_nothing_is_tested(self, solver_folder: Path) -> None:
        before = sorted(solver_folder.iterdir())
        recorded(12)
        assert sorted(solver_folder.iterdir()) == before

    def test_a_record_without_a_training_is_refused(self) -> None:
        solver = training_solver(read_solver("solver.prototxt"), None, None)
        with pytest.raises(
            DataError, match=r"^x: expected losses and final weights of a training, found none; record it"
        ):
            compare_training(solver, Recording("x"), TOLERANCE)


def test_such_a_bias_has_no_gradient_in_float64_and_no_effect(solver_folder: Path) -> None:
    net = training_solver(read_solver("solver.prototxt"), "init.caffemodel", None).net
    gradients = record_layers(net, {}, "float64", seeds={}).weight_gradients
    assert np.abs(gradients["conv/1"]).max() < 1e-15 < np.abs(gradients["conv/0"]).max()
    before = record_layers(net, {}, "float64").tops["ip/y"]
    net.step_of("conv").layer.blobs[1].data.add_(0.02)  # as far as rounding drives it in 25 iterations of AdaGrad
    after = record_layers(net, {}, "float64").tops["ip/y"]
    assert isinstance(before, np.ndarray)
    assert isinstance(after, np.ndarray)
    np.testing.assert_allclose(after, before, atol=1e-13)
