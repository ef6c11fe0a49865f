"""`train` beside the log of a real `caffe train`."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.cli.commands.train import parser, solver_parameter
from caffe_compat.proto.read import read_solver_state, read_weights
from tests.cli.conftest import Run
from tests.cli.messages import messages


@pytest.fixture
def case(goldens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(goldens / "bvlc" / "solvers" / "sgd_step", tmp_path, dirs_exist_ok=True)
    shutil.copy(goldens / "bvlc" / "logs" / "solver.prototxt", tmp_path)
    for snapshot in tmp_path.glob("s_iter*"):
        snapshot.unlink()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def solving(log: str) -> list[str]:
    """The messages from the start of optimisation on, without speeds, which no two runs share."""
    lines = messages(log)
    return [re.sub(r"\(.* iters\)", "(speed)", line) for line in lines[lines.index("Starting Optimization") :]]


def numbers(line: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", line)]


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_every_line_from_the_start_of_optimisation_is_caffes(engine: str, case: Path, goldens: Path, run: Run) -> None:
    status, log = run("train", "-solver", "solver.prototxt", "-weights=init.caffemodel", "--engine", engine)
    assert status == 0
    theirs = solving((goldens / "bvlc" / "logs" / "caffe_train.log").read_text())
    mine = [line for line in solving(log) if not line.startswith("    Test net metric #")]  # lines of ours
    assert len(mine) == len(theirs)
    assert len(solving(log)) == len(mine) + 3 * sum("Testing net" in line for line in mine)
    for line, expected in zip(mine, theirs, strict=True):
        assert re.sub(r"\d.*", "", line) == re.sub(r"\d.*", "", expected)
        assert numbers(line) == pytest.approx(numbers(expected), rel=2e-4)


def test_snapshots_are_those_of_caffe(case: Path, goldens: Path, run: Run) -> None:
    run("train", "--solver=solver.prototxt", "--weights=init.caffemodel")
    theirs = read_solver_state(goldens / "bvlc" / "solvers" / "sgd_step" / "s_iter_10.solverstate")
    mine = read_solver_state("s_iter_10.solverstate")
    assert (mine.iter, mine.current_step, mine.learned_net) == (theirs.iter, theirs.current_step, theirs.learned_net)
    assert [blob.shape for blob in mine.history] == [blob.shape for blob in theirs.history]


def test_a_run_is_resumed(case: Path, run: Run) -> None:
    run("train", "--solver=solver.prototxt", "--weights=init.caffemodel")
    whole = Path("s_iter_25.caffemodel").read_bytes()
    status, log = run("train", "--solver=solver.prototxt", "--snapshot", "s_iter_20.solverstate")
    assert status == 0
    assert "Resuming from s_iter_20.solverstate" in messages(log)
    assert Path("s_iter_25.caffemodel").read_bytes() == whole


def test_the_last_of_several_weights_wins(case: Path, run: Run) -> None:
    run("train", "--solver=solver.prototxt", "--weights=init.caffemodel")
    solver = Path("solver.prototxt")
    solver.write_text(solver.read_text().replace("base_lr: 0.01", "base_lr: 0").replace('prefix: "s"', 'prefix: "t"'))
    run("train", "--solver=solver.prototxt", "--weights", "s_iter_25.caffemodel, init.caffemodel")
    first, last = (read_weights(file).layers for file in ("init.caffemodel", "t_iter_25.caffemodel"))
    before, after = (next(layer.blobs[0] for layer in layers if layer.name == "conv") for layers in (first, last))
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(("flags", "seed"), [(["--seed=7"], 7), ([], 3)])
def test_the_seed_takes_the_place_of_the_solvers(flags: list[str], seed: int, tmp_path: Path) -> None:
    (tmp_path / "s.prototxt").write_text("random_seed: 3")
    arguments = parser().parse_args(["--solver", str(tmp_path / "s.prototxt"), *flags])
    assert solver_parameter(arguments).random_seed == seed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Need a solver definition to train."),
        (["--solver=s", "--snapshot=a", "--weights=b"], "Give a snapshot to resume training or weights"),
        (["--solver=solver.prototxt", "--sigint_effect=halt"],
         "argument --sigint_effect: invalid choice: 'halt' (choose from "),
    ],
)  # fmt: skip
def test_wrong_command_lines(arguments: list[str], message: str, case: Path, run: Run) -> None:
    status, log = run("train", *arguments)
    assert status == 2
    assert messages(log)[-1].startswith(message)


@pytest.mark.slow
def test_sighup_snapshots_and_sigint_stops(case: Path) -> None:
    solver = Path("solver.prototxt")
    solver.write_text(solver.read_text().replace("max_iter: 25", "max_iter: 100000").replace("snapshot: 10", ""))
    command = [sys.executable, "-m", "caffe_compat", "train", "--solver=solver.prototxt"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    with open("log", "w") as log:
        process = subprocess.Popen(command, stderr=log, env=environment)
    _wait_for(lambda: "Iteration 5 " in Path("log").read_text())
    process.send_signal(signal.SIGHUP)
    _wait_for(lambda: len(list(Path().glob("s_iter_*.solverstate"))) == 1)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 3
    assert len(list(Path().glob("s_iter_*.solverstate"))) == 2
    assert messages(Path("log").read_text())[-1] == "Optimization stopped early."


def _wait_for(condition: object) -> None:
    assert callable(condition)
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise TimeoutError


def test_a_run_can_be_watched(case: Path, run: Run) -> None:
    flags = ("--solver=solver.prototxt", "--weights=init.caffemodel")
    assert run("train", *flags, "--watch", "new/folder")[0] == 0
    assert "Done: 25 of 25 iterations." in Path("new/folder/report.html").read_text()
    assert Path("new/folder/metrics.jsonl").read_text().count('"event": "test"') == 3
    Path("file").touch()
    status, log = run("train", *flags, "--watch=file/x")
    assert status == 1
    assert "file/x: cannot be written" in log


def test_tensorboard_needs_a_folder(case: Path, run: Run) -> None:
    status, log = run("train", "--solver=solver.prototxt", "--tensorboard")
    assert status == 2
    assert messages(log)[-1] == "--tensorboard needs --watch=DIR, the folder for its files"


def test_quiet_keeps_the_whole_log_in_its_file(case: Path, run: Run) -> None:
    status, log = run("train", "--solver=solver.prototxt", "--quiet", "--log_file=all.log")
    assert (status, log) == (0, "")
    assert "Optimization Done." in (case / "all.log").read_text()
