"""The command `reproduce`: its tables, and how it ends."""

import json

import pytest

from caffe_compat.cli.commands import reproduce
from caffe_compat.errors import SolverError
from caffe_compat.experiments import reproduce as tables
from caffe_compat.experiments.mechanism.study import Result

AP = {output: {"presence": 0.99, "relation": 0.5} for output in ("y", "y_cls", "y_att", "y_sr")}


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
