"""The command `reproduce`: its tables, and how it ends."""

import json

import pytest

from caffe_compat.cli.commands import reproduce
from caffe_compat.errors import SolverError
from caffe_compat.experiments import reproduce as tables
from caffe_compat.experiments.mechanism.study import Result
from caffe_compat.experiments.mechanism.trials import StudyRow
from caffe_compat.experiments.tables.run_table import Measured
from caffe_compat.experiments.training_time import StepTime

AP = {output: {"presence": 0.99, "relation": 0.5} for output in ("y", "y_cls", "y_att", "y_sr")}


@pytest.fixture(autouse=True)
def times(monkeypatch):
    """Stands for the measurement of a study's rows: each takes 90 seconds."""
    monkeypatch.setattr(tables, "time_row", lambda trial: [StepTime("step 1", 180, 32, 0.5)])


def test_a_study_says_what_it_will_take(tmp_path, capsys):
    done = StudyRow("srn", 31).run(tmp_path / "work", 1).folder / "ap.json"
    done.parent.mkdir(parents=True)
    done.write_text("{}")
    assert reproduce.main(["--table", "dose", "--seeds", "2", "--estimate", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "15 trainings to do, about 22.5 minutes one by one\n"
    assert reproduce.main(["--table", "figures", "--estimate", "--out", str(tmp_path / "new")]) == 0
    assert "3 trainings to do" in capsys.readouterr().out
    assert not (tmp_path / "new").exists()


def test_the_table_is_written_in_three_forms(tmp_path, monkeypatch, capsys):
    def study(trials, seeds, work, say):
        say("started")
        return [Result(trial, seed, AP) for trial in trials for seed in seeds]

    monkeypatch.setattr(tables, "run_study", study)
    assert reproduce.main(["--table", "controls", "--seeds", "2", "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "started" in printed
    assert "| SRN | nothing | 15 | 1600 | 50.0 (50.0 to 50.0) |" in printed
    assert (tmp_path / "out/controls.md").read_text() in printed
    assert r"y\_cls" in (tmp_path / "out/controls.tex").read_text()
    assert len(json.loads((tmp_path / "out/controls.json").read_text())) == 2 * 7
    flags = ["--seeds", "2", "--out", str(tmp_path / "out"), "--quiet"]
    assert reproduce.main(["--table", "controls", *flags]) == 0
    assert capsys.readouterr().out == (tmp_path / "out/controls.md").read_text() + "\n"


def test_a_wrong_table_gets_the_nearest_name(capsys):
    assert reproduce.main(["--table", "control"]) == 2
    assert "did you mean 'controls'?" in capsys.readouterr().err


@pytest.mark.parametrize(("error", "status"), [(SolverError("x: training failed"), 1), (KeyboardInterrupt(), 130)])
def test_ends_without_a_traceback(tmp_path, monkeypatch, capsys, error, status):
    def study(*_):
        raise error

    monkeypatch.setattr(tables, "run_study", study)
    assert reproduce.main(["--table", "dose", "--out", str(tmp_path)]) == status
    assert "Traceback" not in capsys.readouterr().err


def test_an_estimate_needs_no_data(tmp_path, monkeypatch, capsys):
    """The numbers of images are those of the paper's authors; the step is measured elsewhere."""
    monkeypatch.chdir(tmp_path)
    plans = []

    def time_plan(plan):
        plans.append(plan)
        return [StepTime("step 1", 25_890, 96, 0.5), StepTime("step 4", 25_890, 96, 1.5)]

    monkeypatch.setattr(reproduce, "time_plan", time_plan)
    flags = ["--table", "2", "--scale", "full", "--estimate", "--gpus", "4", "--batch-size", "12"]
    assert reproduce.main(flags) == 0
    (plan,) = plans
    assert (plan.setting.labels, plan.setting.images["train"], plan.setting.options["iter_size"]) == (80, 82_783, 8)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3] == "all steps: about 3.6 hours on 4 devices that share each batch evenly"
    # SRN-att and SRN take 14.4 hours; each of the other five trains the whole net for all iterations, 7.2 hours.
    assert lines[-2].endswith("; 21 trainings to do, about 194.2 hours one by one")
    assert "0.22 times as long" in lines[-1]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--table", "dose", "--scale", "full"], "--table dose draws its own data; leave --scale out"),
        (["--table", "ablations", "--scale", "full"], "--table ablations has no full scale; take 1, 2, 3"),
        (["--table", "1", "--rates", "2,none"], "--rates"),
        (["--table", "1", "--scale", "full", "--dataset", "coco"], "--table 1 is of --dataset nus_wide, found coco"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(tmp_path, capsys, flags, told):
    assert reproduce.main([*flags, "--out", str(tmp_path / "out")]) == 2
    assert told in capsys.readouterr().err


def test_a_table_of_the_paper_is_made_from_its_plan(tmp_path, monkeypatch, capsys):
    def make_rows(plan, seeds, work, say, factors):
        assert factors == (0.5, 2.0)
        return [Measured(row, seed, dict.fromkeys(plan.columns, 0.25)) for row in plan.rows for seed in seeds]

    monkeypatch.setattr(tables, "make_rows", make_rows)
    monkeypatch.setattr(tables, "time_plan", lambda plan: [StepTime("step 1", 360, 32, 0.5)])
    flags = ["--table", "1", "--seeds", "2", "--rates", "0.5,2", "--out", str(tmp_path)]
    assert reproduce.main(flags) == 0
    printed = capsys.readouterr().out
    rows = len(json.loads((tmp_path / "1.json").read_text())["rows"])
    told = f"{4 * rows} trainings to do, about {12 * rows / 60:.1f} hours one by one"
    assert f"all steps: about 3.0 minutes on one device; {told}" in printed
    assert "| ResNet-SRN | 25.0 ± 0.0 |" in printed
    assert r"\multicolumn{6}{c}{top-3}" in (tmp_path / "1.tex").read_text()


def test_figures_are_those_of_one_trained_srn(tmp_path, monkeypatch, capsys):
    trained: list[str] = []
    score = {"hit": [0.5, 0.4, 0.6], "mass": [0.3, 0.2, 0.4], "area": [0.01, 0.01, 0.01]}
    monkeypatch.setattr(tables, "run_study", lambda trials, seeds, *_: trained.extend(trial.arm for trial in trials))
    monkeypatch.setattr(tables, "write_analysis", lambda *_: {"attention": {"presence": {"A": score, "U": score}}})
    assert reproduce.main(["--table", "figures", "--out", str(tmp_path)]) == 0
    assert trained == ["srn", "baseline", "rolled"]
    assert "| presence | A | 50.0 (40.0 to 60.0) | 30.0 (20.0 to 40.0) | 1.0 |" in capsys.readouterr().out
