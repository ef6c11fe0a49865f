import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def run(monkeypatch, tmp_path, program):
    """Runs the command in an empty folder; returns its exit status, output and errors."""
    generator = np.random.default_rng(9)
    labels = generator.random((20, 5)) < 0.5
    labels[:, 4] = False
    np.savetxt(tmp_path / "labels.txt", labels, fmt="%d")
    for name in ("base", "srn"):
        np.savetxt(tmp_path / f"{name}.txt", generator.normal(size=(20, 5)), fmt="%.6f")
    monkeypatch.chdir(tmp_path)

    return partial(program, "evaluate", "--dataset", "coco", "--labels", "labels.txt")


def test_prints_figures_and_warns(run) -> None:
    status, printed, errors = run("--predictions", "base.txt", "--json", "out.json")
    assert status == 0
    assert printed.splitlines()[1].startswith("base  ")
    assert errors.startswith("caffe-compat evaluate: warning: no image has class 5: ")
    assert json.loads(Path("out.json").read_text())["ap"][4] is None


@pytest.mark.parametrize("predictions", [("base.txt", "srn.txt"), ("base.txt", "--predictions", "srn.txt")])
def test_writes_every_format(run, predictions) -> None:
    outputs = ("--json", "o.json", "--csv", "o.csv", "--latex", "o.tex", "--png", "o.png", "--bootstrap", "2")
    assert run("--names", "plain", "ours", "--predictions", *predictions, *outputs)[0] == 0
    assert list(json.loads(Path("o.json").read_text())["models"]) == ["plain", "ours"]
    assert all(Path(f"o.{suffix}").stat().st_size > 100 for suffix in ("csv", "tex", "png"))


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 1, "base.txt: expected 20 lines of 5 scores"),
        (("--csv", "labels.txt/o.csv"), 1, "[Errno 17] File exists: 'labels.txt'\n"),
        (("--bootstrap", "-3"), 2, "argument --bootstrap: expected a number of rounds from 0 on, found '-3'\n"),
    ],
)
def test_an_error_is_one_line(run, arguments, status, message) -> None:
    if not arguments:
        Path("base.txt").write_text("1 2 3\n")
    got, _, errors = run("--predictions", "base.txt", *arguments)
    assert got == status
    assert errors.startswith(f"caffe-compat evaluate: {message}")
    assert errors.count("\n") == 1


def test_folders_of_outputs_are_made(run) -> None:
    assert run("--predictions", "base.txt", "--csv", "absent/deep/o.csv")[0] == 0
    assert Path("absent/deep/o.csv").stat().st_size > 100
