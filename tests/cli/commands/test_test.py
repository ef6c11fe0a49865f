"""`test`: scores a model."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.messages import messages


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_batches_then_means(
    engine: str, goldens: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(goldens / "bvlc" / "solvers" / "sgd_fixed", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    arguments = ("--model=net.prototxt", "--weights", "s_iter_10.caffemodel", "--iterations=3", "--engine", engine)
    status, log = run("test", *arguments)
    assert status == 0
    lines = messages(log)
    at = lines.index("Running for 3 iterations.")
    batches = [re.fullmatch(rf"Batch {batch}, loss = (\S+)", lines[at + 1 + batch]) for batch in range(3)]
    losses = [float(batch[1]) for batch in batches if batch]
    assert len(set(losses)) == 3
    mean = float(lines[at + 4].removeprefix("Loss: "))
    assert mean == pytest.approx(sum(losses) / 3, rel=1e-4)
    assert lines[at + 5] == f"loss = {mean:g} (* 1 = {mean:g} loss)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Need a model definition to score."),
        (["--model=m"], "Need model weights to score."),
        (
            ["--model=m", "--weights=w", "--iterations=0"],
            "argument --iterations: expected a whole number from 1 on, found '0'",
        ),
    ],
)
def test_wrong_command_lines(arguments: list[str], message: str, run: Run) -> None:
    status, log = run("test", *arguments)
    assert (status, messages(log)) == (2, [message])


def test_means_for_programs(goldens: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(goldens / "bvlc" / "solvers" / "sgd_fixed", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    arguments = ("--model=net.prototxt", "--weights", "s_iter_10.caffemodel", "--iterations=2")
    logged = messages(run("test", *arguments)[1])
    assert run("test", *arguments, "--json", "means.json", "--quiet") == (0, "")
    figures = json.loads(Path("means.json").read_text())
    (output,) = figures.pop("outputs")
    assert (output["blob"], output["loss_weight"], output["mean"]) == ("loss", 1, pytest.approx(figures["loss"]))
    assert f"Loss: {figures.pop('loss'):g}" in logged
    assert figures == {"model": "net.prototxt", "weights": "s_iter_10.caffemodel", "iterations": 2}
