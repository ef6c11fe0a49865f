"""The four steps of a small SRN, as a user trains it: each from the last one's weights, and what is fixed stays."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.cli.commands import train_stages
from caffe_compat.errors import SolverError
from caffe_compat.logs.parsing.reader import read_log
from caffe_compat.proto.read import read_weights
from caffe_compat.proto.write import write_text
from caffe_compat.solvers.actions import STOPPED_EARLY
from caffe_compat.srn.stages.stages import find_stages
from prototxt_gen.files import generate

ROOT = Path(__file__).parents[3]
SCENES = ("--train", "8", "--val", "2", "--test", "2")
MODEL = ("--labels", "20", "--depth", "26", "--width", "2", "--head-width", "3", "--input-size", "96", "--data", "data",
         "--test-split", "val", "--augmentation", "none", "--batch-size", "2", "--iter-size", "2", "--base-lr", "0.01",
         "--train-images", "8", "--test-images", "2", "--max-iter", "3", "--solver-mode", "CPU", "--random-seed", "5",
         "--no-mirror", "--out", "models")  # fmt: skip
#: The first letters of the layers of each part; all else is the main net.
PARTS = {"attention": ("att_", "bn_att_", "srn_conv1"), "regularization": ("srn_", "bn_srn_")}
LEARNS = {1: {"main"}, 2: {"attention"}, 3: {"regularization"}, 4: {"main", "attention", "regularization"}}
WEIGHTS = "models/step_{}_iter_3.caffemodel"
STEPS = {1: "1_resnet101", 2: "2_resnet101_att", 3: "3_resnet101_srn", 4: "4_resnet101_srn_finetune"}


def part_of(layer):
    return next((part for part, prefixes in PARTS.items() if layer.startswith(prefixes)), "main")


def run(folder, program, *arguments):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *program, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)


def train(folder, *arguments):
    return run(folder, [ROOT / "tools" / "train_stages.py"], "--models", "models", *arguments)


def weights(path):
    layers = read_weights(str(path)).layers
    return {f"{layer.name}/{i}": np.array(blob) for layer in layers for i, blob in enumerate(layer.blobs)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder in which all four steps ran, with normalised heads (their statistics are fixed too), and the output."""
    folder = tmp_path_factory.mktemp("steps")
    assert run(folder, [ROOT / "tools" / "prepare_dataset.py"], "scenes", "--out", "data", *SCENES).returncode == 0
    assert run(folder, ["-m", "prototxt_gen"], *MODEL, "--head-norm", "bn").returncode == 0
    done = train(folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


@pytest.fixture
def copied(trained, tmp_path):
    """The same folder, to change."""
    return Path(shutil.copytree(trained[0], tmp_path / "copy"))


@pytest.mark.slow
def test_each_step_starts_where_the_last_one_ended(trained):
    folder, printed = trained

    files = [WEIGHTS.format(step) for step in STEPS.values()]
    for start, end in zip(["scratch", *files[:-1]], files, strict=True):
        assert f"training from {start}\n" in printed
        assert f"done, weights in {end}, log in {end.removesuffix('_iter_3.caffemodel')}.log\n" in printed
    assert train(folder).stdout.count("training from") == 0
    report = (folder / "models" / "step_4_resnet101_srn_finetune_watch" / "report.html").read_text()
    assert "Done: 3 of 3 iterations." in report
    assert report.count('alt="Attention maps over test image') > 0
    log = read_log(folder / "models" / "step_4_resnet101_srn_finetune.log")
    assert {frozenset(row.outputs) for row in log.train} == {frozenset({"loss", "loss_att"})}


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 3, 4])
def test_what_a_step_does_not_learn_stays_bit_identical(trained, step):
    folder, _ = trained
    before, after = (weights(folder / WEIGHTS.format(STEPS[number])) for number in (step - 1, step))

    shared = before.keys() & after.keys()
    assert {part_of(name) for name in shared} >= {"main", "attention"} - ({"attention"} if step == 2 else set())
    for name in shared:
        if part_of(name) in LEARNS[step]:
            continue
        assert before[name].tobytes() == after[name].tobytes(), name
    changed = {part_of(name) for name in shared if not np.array_equal(before[name], after[name])}
    assert changed == LEARNS[step] & {part_of(name) for name in shared}


@pytest.mark.slow
def test_a_stopped_step_goes_on(copied):
    folder = copied
    whole = weights(folder / WEIGHTS.format(STEPS[4]))
    solver = folder / "models" / "step_4_resnet101_srn_finetune_solver.prototxt"
    for file in (folder / "models").glob("step_4_*_iter_*"):
        file.unlink()
    text = solver.read_text()
    solver.write_text(text.replace("max_iter: 3", "max_iter: 2"))
    assert train(folder, "--step", "4").returncode == 0
    solver.write_text(text)

    resumed = train(folder, "--step", "4")

    assert "training from its newest snapshot models/step_4_resnet101_srn_finetune_iter_*\n" in resumed.stdout
    assert "Resuming from models/step_4_resnet101_srn_finetune_iter_2.solverstate" in resumed.stderr
    again = weights(folder / WEIGHTS.format(STEPS[4]))
    for name, values in whole.items():
        np.testing.assert_allclose(again[name], values, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_two_processes_under_torchrun(copied):
    folder = copied
    for file in (folder / "models").glob("step_[34]_*_iter_*"):
        file.unlink()

    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29611"]
    done = run(folder, launcher, ROOT / "tools" / "train_stages.py", "--models", "models", "--step", "3-4")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("training from") == 2
    assert "Effective batch size: 8 (2 workers x iter_size 2 x batch_size 2)" in done.stderr
    assert (folder / WEIGHTS.format(STEPS[4])).exists()


def test_errors_are_one_line(program):
    done = program("train-stages", "--models", "nowhere")

    assert done.returncode == 1
    assert done.stderr.startswith("caffe-compat train-stages: nowhere: expected solvers step_1_*_solver.prototxt, ")


@pytest.fixture
def stage(tmp_path):
    for name, message in generate(str(tmp_path), labels=3, depth=26, width=1, max_iter=12).items():
        write_text(tmp_path / name, message)
    return find_stages(tmp_path)[0]


@pytest.mark.slow
def test_a_step_that_fails_shows_its_error_first(stage, tmp_path):
    done = run(tmp_path, [ROOT / "tools" / "train_stages.py"], "--models", str(tmp_path), "--gpu", "none")

    assert done.returncode == 1
    *before, last = done.stderr.splitlines()
    assert last == "train_stages.py: step 1 (resnet101): training failed; the error is above"
    assert "layer 'data' (Data): cannot open LMDB 'data/custom/train_image_lmdb'" in before[-1]


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (-signal.SIGKILL, r"^step 1 \(resnet101\): ended by SIGKILL; run the command again to go on$"),
        (128 + signal.SIGTERM, r"^step 1 \(resnet101\): ended by SIGTERM; run the command again to go on$"),
        (0, r"^step 1 \(resnet101\): stopped before iteration 12; run the command again to go on$"),
    ],
)
def test_a_step_that_did_not_finish_can_go_on(stage, monkeypatch, status, message):
    monkeypatch.setattr(train_stages, "wait_for", lambda process: process.wait() or status)
    monkeypatch.setattr(sys, "executable", "true")
    with pytest.raises(SolverError, match=message):
        train_stages.train(stage, {}, "exact", "none")


def test_a_stopped_step_ends_the_command_with_its_own_status(stage, monkeypatch, program, tmp_path):
    monkeypatch.setattr(train_stages, "wait_for", lambda process: process.wait() or STOPPED_EARLY)
    monkeypatch.setattr(sys, "executable", "true")
    done = program("train-stages", "--models", tmp_path)
    assert done.returncode == STOPPED_EARLY
    assert done.stdout.endswith("step 1 (resnet101): stopped, with a snapshot; run the command again to go on\n")


def test_quiet_reaches_the_step(stage, monkeypatch):
    commands = []
    monkeypatch.setattr(train_stages, "start_process", lambda command, stage: commands.append(command))
    monkeypatch.setattr(train_stages, "wait_for", lambda process: STOPPED_EARLY)
    for quiet in (False, True):
        assert train_stages.train(stage, {}, "exact", "none", quiet=quiet) == STOPPED_EARLY
    assert [command.count("--quiet") for command in commands] == [0, 1]
