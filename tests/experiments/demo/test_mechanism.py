"""The demo's part of the mechanism study, in words and numbers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from caffe_compat.experiments.demo import demo, mechanism, report
from caffe_compat.experiments.demo.mechanism import mechanism_rows, mechanism_sentence
from caffe_compat.experiments.demo.recipe import TINY
from caffe_compat.experiments.mechanism.study import Result
from caffe_compat.experiments.mechanism.trials import StudyRow
from caffe_compat.experiments.runs import Say
from caffe_compat.pages.pieces import Piece, write_pieces
from caffe_compat.parity.comparison import Comparison
from tests.experiments.demo.test_findings import outcomes

AP = {output: {"presence": 0.9, "relation": 0.5} for output in ("y_cls", "y_att", "y_sr", "y")}


def test_rows_and_sentence_follow_the_results():
    def ap(*values):
        return {
            output: {"presence": 0.9, "relation": value}
            for output, value in zip(("y_cls", "y_att", "y_sr", "y"), values, strict=True)
        }

    results = [
        Result(StudyRow("srn"), 0, ap(0.5, 0.48, 0.81, 0.842)),
        Result(StudyRow("point"), 0, ap(0.5, 0.5, 0.52, 0.51)),
    ]
    assert mechanism_rows(results) == [
        ("SRN", "50.0", "48.0", "81.0", "84.2"),
        ("SRN, conv4 1x1 and mean", "50.0", "50.0", "52.0", "51.0"),
    ]
    assert "SRN reaches 84.2, and without conv4's spatial extent 51.0: a difference of +33.2 points" in (
        mechanism_sentence(results)
    )


def test_the_demo_trains_both_arms_and_tells_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole demo with its trainings, measurements and pictures replaced: the mechanism reaches page and results."""
    trained: list[tuple[str, int, int, str]] = []

    def run_study(trials: Sequence[StudyRow], seeds: Sequence[int], work: Path, say: Say) -> list[Result]:
        trained.extend((trial.arm, trial.scenes, seed, work.name) for trial in trials for seed in seeds)
        return [Result(trial, 0, AP) for trial in trials]

    def write_report(folder: Path, found: Any) -> None:
        pieces.extend(piece for piece in report._mechanism(found.mechanism))

    pieces: list[Piece] = []
    of_runs = outcomes(tmp_path, (0.8, 0.6, 0.9, 0.7))
    monkeypatch.setattr(mechanism, "run_study", run_study)
    monkeypatch.setattr(demo, "train", lambda runs, say: None)
    monkeypatch.setattr(demo, "judge", lambda run: next(o for o in of_runs if o.run.name == run.name))
    monkeypatch.setattr(demo, "_prepare", lambda runs, recipe, say: None)
    monkeypatch.setattr(demo, "_compare", lambda run: Comparison("opencv", []))
    monkeypatch.setattr(Comparison, "max_error", 0.0)
    monkeypatch.setattr(demo, "write_report", write_report)
    said: list[str] = []
    demo.run_demo(demo.DemoRequest(tmp_path / "demo", TINY), said.append)
    assert trained == [("srn", 24, 0, "mechanism"), ("point", 24, 0, "mechanism")]
    assert any("== mechanism: done in" in line for line in said)
    assert json.loads((tmp_path / "demo/results.json").read_text())["mechanism"] == {"srn": AP, "point": AP}
    write_pieces(tmp_path / "page.html", "t", pieces)
    assert "AP of the relation labels, per cent." in (tmp_path / "page.html").read_text()
