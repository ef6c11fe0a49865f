import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAM = Path(__file__).parents[2] / "tools" / "evaluate.py"


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Runs the program in an empty folder; returns its exit status."""
    generator = np.random.default_rng(9)
    labels = generator.random((20, 5)) < 0.5
    labels[:, 4] = False
    np.savetxt(tmp_path / "labels.txt", labels, fmt="%d")
    for name in ("base", "srn"):
        np.savetxt(tmp_path / f"{name}.txt", generator.normal(size=(20, 5)), fmt="%.6f")
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["evaluate.py", "--dataset", "coco", "--labels", "labels.txt", *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(PROGRAM), run_name="__main__")
        return ended.value.code

    return run


def test_prints_figures_and_warns(run, capsys) -> None:
    assert run("--predictions", "base.txt", "--json", "out.json") == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[1].startswith("base  ")
    assert printed.err.startswith("evaluate.py: warning: no image has class 5: ")
    assert json.loads(Path("out.json").read_text())["ap"][4] is None


@pytest.mark.parametrize("predictions", [("base.txt", "srn.txt"), ("base.txt", "--predictions", "srn.txt")])
def test_writes_every_format(run, predictions) -> None:
    outputs = ("--json", "o.json", "--csv", "o.csv", "--latex", "o.tex", "--png", "o.png", "--bootstrap", "2")
    assert run("--names", "plain", "ours", "--predictions", *predictions, *outputs) == 0
    assert list(json.loads(Path("o.json").read_text())["models"]) == ["plain", "ours"]
    assert all(Path(f"o.{suffix}").stat().st_size > 100 for suffix in ("csv", "tex", "png"))


def test_an_error_is_one_line(run, capsys) -> None:
    Path("base.txt").write_text("1 2 3\n")
    assert run("--predictions", "base.txt") == 1
    assert capsys.readouterr().err.startswith("evaluate.py: base.txt: expected 20 lines of 5 scores")


def test_an_output_that_cannot_be_written(run, capsys) -> None:
    Path("file").touch()
    assert run("--predictions", "base.txt", "--csv", "file/o.csv") == 1
    assert capsys.readouterr().err == "evaluate.py: [Errno 17] File exists: 'file'\n"


def test_folders_of_outputs_are_made(run) -> None:
    assert run("--predictions", "base.txt", "--csv", "absent/deep/o.csv") == 0
    assert Path("absent/deep/o.csv").stat().st_size > 100


def test_rounds_that_are_no_count(run, capsys) -> None:
    assert run("--predictions", "base.txt", "--bootstrap", "-3") == 2
    assert "argument --bootstrap: expected a number of rounds from 0 on, found '-3'" in capsys.readouterr().err
