import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Program


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


def test_prints_figures_and_warns(run: Program) -> None:
    status, printed, errors = run("--predictions", "base.txt", "--json", "out.json")
    assert status == 0
    assert printed.splitlines()[1].startswith("base  ")
    assert errors.startswith("caffe-compat evaluate: warning: no image has class 5: ")
    assert json.loads(Path("out.json").read_text())["ap"][4] is None


@pytest.mark.parametrize("predictions", [("base.txt", "srn.txt"), ("base.txt", "--predictions", "srn.txt")])
def test_writes_every_format(run: Program, predictions: tuple[str, ...]) -> None:
    outputs = ("--json", "o.json", "--csv", "o.csv", "--latex", "o.tex", "--png", "o.png", "--bootstrap", "2")
    assert run("--names", "plain", "ours", "--predictions", *predictions, *outputs)[0] == 0
    assert list(json.loads(Path("o.json").read_text())["models"]) == ["plain", "ours"]
    assert all(Path(f"o.{suffix}").stat().st_size > 100 for suffix in ("csv", "tex", "png"))


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ((), 1, "base.txt: expected 20 lines of 5 scores"),
        (("--csv", "labels.txt/o.csv"), 1, "labels.txt/o.csv: cannot be written (File exists: 'labels.txt')"),
        (("--bootstrap", "-3"), 2, "argument --bootstrap: expected a number of rounds from 0 on, found '-3'\n"),
    ],
)
def test_an_error_is_one_line(run: Program, arguments: tuple[str, ...], status: int, message: str) -> None:
    if not arguments:
        Path("base.txt").write_text("1 2 3\n")
    got, _, errors = run("--predictions", "base.txt", *arguments)
    assert got == status
    assert errors.startswith(f"caffe-compat evaluate: {message}")
    assert errors.count("\n") == 1


def test_folders_of_outputs_are_made(run: Program) -> None:
    assert run("--predictions", "base.txt", "--csv", "absent/deep/o.csv")[0] == 0
    assert Path("absent/deep/o.csv").stat().st_size > 100


@pytest.fixture
def own(tmp_path, run):
    """The same labels in a folder that looks prepared, with probabilities."""
    home = tmp_path / "birds"
    home.mkdir()
    (tmp_path / "labels.txt").rename(home / "val_labels.txt")
    labels = np.loadtxt(home / "val_labels.txt")
    counts = {name: int(count) for name, count in zip("abcde", labels.sum(axis=0), strict=True)}
    (home / "summary.json").write_text(json.dumps({"splits": {"val": {"label counts": counts}}}))
    np.savetxt(tmp_path / "p.txt", 1 / (1 + np.exp(-np.loadtxt(tmp_path / "base.txt"))))


def test_own_data_need_their_folder_alone(own: None, program: Program) -> None:
    flags = ("--dataset", "own", "--data", "birds", "--split", "val", "--json", "o.json")
    status, printed, errors = program("evaluate", *flags, "--predictions", "p.txt")
    assert status == 0
    assert "note: all scores of p lie within 0..1, so they are read as probabilities; --scores logits" in errors
    content = json.loads(Path("o.json").read_text())
    assert (content["title"], content["classes"], content["scores"]) == ("birds", list("abcde"), "probabilities")
    of_logits = program("evaluate", *flags, "--predictions", "base.txt").stdout
    assert of_logits.replace("base", "p").split() == printed.split()


def test_conventions_reach_the_figures(own: None, program: Program) -> None:
    flags = ("--dataset", "own", "--data", "birds", "--split", "val", "--json", "o.json", "--predictions", "p.txt")
    conventions = ("--scores", "probabilities", "--threshold", "0.25", "--ap", "voc07", "--ignore", "-1")
    assert program("evaluate", *flags, *conventions, "--title", "Mine").returncode == 0
    content = json.loads(Path("o.json").read_text())
    assert (content["threshold"], content["title"]) == (0.25, "Mine")
    assert content["convention"].startswith("AP at eleven recalls, as VOC 2007; ")


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--threshold=2", "argument --threshold: expected a probability from 0 to 1, found '2'"),
        ("--threshold=x", "argument --threshold: expected a probability from 0 to 1, found 'x'"),
        ("--ap=voc", "argument --ap: invalid choice: 'voc' (choose from released, voc07, sklearn)"),
        ("--seed=-1", "argument --seed: expected a whole number from 0 on, found '-1'"),
    ],
)
def test_wrong_usage(run: Program, flag: str, message: str) -> None:
    status, _, errors = run("--predictions", "base.txt", flag)
    assert status == 2
    assert message in errors


def test_no_labels(program: Program, run: Program) -> None:
    status, _, errors = program("evaluate", "--dataset", "own", "--predictions", "base.txt")
    assert status == 1
    assert errors.endswith("expected --labels FILE or --data DIR, a folder that prepare wrote; found neither\n")


def test_quiet_leaves_figures_and_takes_progress(run: Program, slow_work: None) -> None:
    flags = ("--predictions", "base.txt", "--bootstrap", "2")
    loud, quiet = run(*flags), run(*flags, "--quiet")
    assert "bootstrap: 1 of 2 rounds (50 %), about" in loud.stderr
    assert "bootstrap:" not in quiet.stderr
    assert quiet.stdout == loud.stdout
