"""The study's plan, and one tiny trial through training and measurement."""

import dataclasses

import pytest

from caffe_compat.experiments.arms import ArmStep
from caffe_compat.experiments.mechanism import arms
from caffe_compat.experiments.mechanism.study import run_study
from caffe_compat.experiments.mechanism.trials import TABLES, WHOLE_PICTURE, StudyRow
from caffe_compat.experiments.models import write_models
from caffe_compat.experiments.shared_steps import take_over_steps


def test_every_arm_has_the_same_budget():
    assert {made.arm.epochs for made in arms.ARMS.values() if made.arm.steps != arms.LATE_STEPS} == {25}


def test_srn_on_the_trained_baseline_takes_the_baseline_over(tmp_path):
    runs = [StudyRow(arm, 31, 64).run(tmp_path, 3) for arm in ("baseline", "late")]
    for run in runs:
        write_models(run.folder, run.arm, StudyRow("late", 31, 64).setting, 3)
    baseline, late = runs
    (only,) = baseline.stages
    for name in (only.log_file, only.final_weights):
        (baseline.folder / name).write_text("trained")
    assert [stage.number for stage in take_over_steps(late.folder)] == [1]
    assert (late.folder / late.stages[0].final_weights).read_text() == "trained"


def test_the_control_on_the_trained_baseline_differs_in_conv4_alone():
    late, control = (arms.ARMS[name].arm for name in ("late", "late_point"))
    assert control == dataclasses.replace(late, title=control.title, options={"conv4": "point"})


def test_the_tables_hold_what_the_page_says():
    assert [trial.arm for trial in TABLES["controls"]] == [arm for arm in arms.ARMS if arm not in WHOLE_PICTURE]
    assert {(trial.arm, trial.receptive_field) for trial in TABLES["dose"]} == {
        (arm, field) for arm in ("srn", "baseline") for field in (15, 31, 63, 111)
    }
    assert {trial.scenes for trial in TABLES["samples"]} == {500, 1000, 2000}


def test_trials_of_the_same_data_share_its_folder(tmp_path):
    srn, point, coin = (StudyRow(arm).run(tmp_path, 1) for arm in ("srn", "point", "coin"))
    assert srn.dataset == point.dataset == tmp_path / "seed_1" / "relations_1600"
    assert coin.dataset == tmp_path / "seed_1" / "coin_1600"
    assert srn.folder != point.folder


@pytest.mark.slow
def test_a_tiny_study_runs_once_and_is_read_afterwards(tmp_path, monkeypatch):
    """With the rolled arm, whose Python layer must be allowed on the whole way."""
    steps = (ArmStep(1, 0.02),) * 4
    made = arms.ARMS["rolled"]
    small = dataclasses.replace(made, arm=dataclasses.replace(made.arm, steps=steps))
    monkeypatch.setitem(arms.ARMS, "rolled", small)
    monkeypatch.setattr(arms.setting, "__defaults__", (20, 32))
    said: list[str] = []
    trial = StudyRow("rolled", 31, 64)
    (first,) = run_study([trial], [4], tmp_path, said.append)
    assert set(first.ap) == {"y", "y_cls", "y_att", "y_sr"}
    assert all(0 < value <= 1 for groups in first.ap.values() for value in groups.values())
    assert sum("trained in" in line for line in said) == 1

    said.clear()
    (again,) = run_study([trial], [4], tmp_path, said.append)
    assert again == first
    assert said == []
