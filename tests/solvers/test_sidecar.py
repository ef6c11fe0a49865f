"""A run that is cut off and resumed ends with the bytes of one that was not, random numbers included."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
import torch

from caffe_compat.errors import FormatError, SolverError
from caffe_compat.solvers.sidecar import capture_generators, restore_generators, sidecar_path
from tests.solvers.least_squares import make_solver

NET = """
name: "random"
layer {{ name: "images" type: "ImageData" top: "data" top: "label" transform_param {{ crop_size: 9 mirror: true }}
  image_data_param {{ source: "{folder}/images.txt" root_folder: "{folder}/" batch_size: 3 shuffle: true
    rand_skip: 4 }} }}
layer {{ name: "rows" type: "HDF5Data" top: "target"
  hdf5_data_param {{ source: "{folder}/rows.txt" batch_size: 3 shuffle: true }} }}
layer {{ name: "noise" type: "DummyData" top: "noise"
  dummy_data_param {{ shape {{ dim: 3 dim: 2 }} data_filler {{ type: "gaussian" std: 0.3 }} }} }}
layer {{ name: "conv" type: "Convolution" bottom: "data" top: "c" convolution_param {{ num_output: 4 kernel_size: 3
  weight_filler {{ type: "gaussian" std: 0.001 }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "c" top: "c" }}
layer {{ name: "pool" type: "Pooling" bottom: "c" top: "p"
  pooling_param {{ pool: STOCHASTIC kernel_size: 2 stride: 2 }} }}
layer {{ name: "drop" type: "Dropout" bottom: "p" top: "p" }}
layer {{ name: "ip" type: "InnerProduct" bottom: "p" top: "y" inner_product_param {{ num_output: 2
  weight_filler {{ type: "gaussian" std: 0.01 }} }} }}
layer {{ name: "sum" type: "Eltwise" bottom: "y" bottom: "noise" top: "s" }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "s" bottom: "target" top: "loss" }}
layer {{ name: "silence" type: "Silence" bottom: "label" }}
"""
SOLVER = """
net: "{folder}/net.prototxt" base_lr: 0.001 lr_policy: "step" stepsize: 5 gamma: 0.7 momentum: 0.9 weight_decay: 0.01
test_iter: 2 test_interval: 3 display: 4 max_iter: {iterations} snapshot: {interval} snapshot_prefix: "{prefix}"
{seed}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.RandomState(0)
    for number in range(7):
        cv2.imwrite(str(tmp_path / f"{number}.png"), random.randint(0, 256, (12, 13, 3), np.uint8))
    (tmp_path / "images.txt").write_text("".join(f"{number}.png {number}\n" for number in range(7)))
    with h5py.File(tmp_path / "rows.h5", "w") as file:
        file["target"] = random.randn(5, 2).astype(np.float32)
    (tmp_path / "rows.txt").write_text(f"{tmp_path}/rows.h5\n")
    (tmp_path / "net.prototxt").write_text(NET.format(folder=tmp_path))
    return tmp_path


def command(
    folder: Path, name: str, *arguments: str, seed: str = "random_seed: 5", iterations: int = 12, interval: int = 4
) -> list[str]:
    """A `train` whose snapshots are called `name`."""
    solver = folder / f"{name}.prototxt"
    text = SOLVER.format(folder=folder, prefix=folder / name, seed=seed, iterations=iterations, interval=interval)
    solver.write_text(text)
    return [sys.executable, "-m", "caffe_compat", "train", "--solver", str(solver), *arguments]


def train(command: list[str]) -> str:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stderr


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["random_seed: 5", ""])
def test_a_run_that_is_resumed_ends_with_the_same_bytes(folder: Path, seed: str) -> None:
    train(command(folder, "whole", seed=seed))
    for name in ("caffemodel", "solverstate", "resume.json"):
        (folder / f"cut_iter_4.{name}").write_bytes((folder / f"whole_iter_4.{name}").read_bytes())
    log = train(command(folder, "cut", f"--snapshot={folder}/cut_iter_4.solverstate", seed=seed))
    assert "start anew" not in log
    assert (folder / "cut_iter_12.caffemodel").read_bytes() == (folder / "whole_iter_12.caffemodel").read_bytes()


@pytest.mark.slow
def test_a_killed_run_leaves_whole_snapshots_and_is_resumed_to_the_same_bytes(folder: Path) -> None:
    killed = command(folder, "killed", iterations=3000, interval=50)
    process = subprocess.Popen(killed, stderr=subprocess.DEVNULL, env=os.environ | {"OMP_NUM_THREADS": "1"})
    while len(list(folder.glob("killed_iter_*.solverstate"))) < 2:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    last = max(int(path.stem.rsplit("_", 1)[1]) for path in folder.glob("killed_iter_*.solverstate"))
    end = last + 25
    train(command(folder, "resumed", f"--snapshot={folder}/killed_iter_{last}.solverstate", iterations=end, interval=0))
    train(command(folder, "whole", iterations=end, interval=0))
    final = f"_iter_{end}.caffemodel"
    assert (folder / f"resumed{final}").read_bytes() == (folder / f"whole{final}").read_bytes()


def test_without_a_sidecar_the_log_says_what_is_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    text = f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s"'
    make_solver(text).snapshot()
    (tmp_path / "s_iter_0.resume.json").unlink()
    make_solver(text).restore(f"{tmp_path}/s_iter_0.solverstate")
    assert (
        f"{tmp_path}/s_iter_0.solverstate holds neither the place in the data nor random states, and there is no "
        "s_iter_0.resume.json beside it: both start anew"
    ) in caplog.messages


@pytest.mark.parametrize("replaced", ["caffemodel", "solverstate"])
def test_files_of_two_snapshots_are_not_mixed(replaced: str, tmp_path: Path) -> None:
    solver = make_solver(f'base_lr: 0.1 momentum: 0.9 snapshot_prefix: "{tmp_path}/s"')
    solver.snapshot()
    older = {name: (tmp_path / f"s_iter_0.{name}").read_bytes() for name in ("caffemodel", "solverstate")}
    solver.step(1)
    solver.schedule.iteration = 0
    solver.snapshot()
    (tmp_path / f"s_iter_0.{replaced}").write_bytes(older[replaced])
    message = rf"^{tmp_path}/s_iter_0.{replaced} is not the file that s_iter_0.resume.json was written with: a run was "
    with pytest.raises(SolverError, match=message):
        solver.restore(f"{tmp_path}/s_iter_0.solverstate")
    (tmp_path / "s_iter_0.resume.json").unlink()  # the cure that the message names
    solver.restore(f"{tmp_path}/s_iter_0.solverstate")


def test_a_sidecar_of_an_older_snapshot_is_not_taken(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    solver = make_solver(f'base_lr: 0.1 momentum: 0.9 snapshot_prefix: "{tmp_path}/s"')
    solver.snapshot()
    sidecar = (tmp_path / "s_iter_0.resume.json").read_bytes()
    solver.step(1)
    solver.schedule.iteration = 0
    solver.snapshot()
    (tmp_path / "s_iter_0.resume.json").write_bytes(sidecar)
    solver.restore(f"{tmp_path}/s_iter_0.solverstate")
    assert "belongs to other weights than" in caplog.text


def test_a_changed_base_lr_is_honoured_and_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    policy = f'lr_policy: "step" stepsize: 2 gamma: 0.5 snapshot_prefix: "{tmp_path}/s"'
    solver = make_solver(f"base_lr: 0.1 {policy}")
    solver.step(2)
    solver.snapshot()
    resumed = make_solver(f"base_lr: 0.02 {policy}")
    resumed.restore(f"{tmp_path}/s_iter_2.solverstate")
    assert caplog.messages[-1] == "base_lr was 0.1 at the snapshot and is 0.02 from here on"
    assert resumed.learning_rate == pytest.approx(0.01)


def test_plateau_remembers_the_lowest_test_loss(tmp_path: Path) -> None:
    text = f'lr_policy: "plateau" base_lr: 0.1 test_iter: 1 test_interval: 1 snapshot_prefix: "{tmp_path}/s"'
    solver = make_solver(text)
    solver.step(3)
    solver.snapshot()
    resumed = make_solver(text)
    resumed.restore(f"{tmp_path}/s_iter_3.solverstate")
    assert resumed.schedule == solver.schedule


def test_another_file_in_its_place_is_refused(tmp_path: Path) -> None:
    solver = make_solver(f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s"')
    solver.snapshot()
    (tmp_path / "s_iter_0.resume.json").write_text("{}")
    with pytest.raises(FormatError, match=rf"^{tmp_path}/s_iter_0.resume.json: expected what this program writes"):
        solver.restore(f"{tmp_path}/s_iter_0.solverstate")


@pytest.mark.parametrize("state", ["a/s_iter_10.solverstate", "a/s_iter_10.solverstate.h5"])
def test_both_formats_have_the_same_sidecar(state: str) -> None:
    assert sidecar_path(state) == Path("a/s_iter_10.resume.json")


CPU = torch.device("cpu")


def draw() -> list[float]:
    return [float(torch.rand(())), float(torch.randn(())), np.random.rand(), np.random.randn(), random.random()]


def test_generators_go_on_where_they_were_after_a_way_through_json() -> None:
    draw()
    states = json.loads(json.dumps(capture_generators(CPU)))
    first = draw()
    draw()
    restore_generators(states, CPU)
    assert draw() == first


def test_a_pipe_in_place_of_the_weights_is_refused_before_it_is_read(tmp_path: Path) -> None:
    solver = make_solver(f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s"')
    solver.snapshot()
    weights = tmp_path / "s_iter_0.caffemodel"
    weights.unlink()
    os.mkfifo(weights)
    with pytest.raises(
        FormatError, match=r"/s_iter_0.caffemodel: expected weights, found a pipe, socket or device; give"
    ):
        solver.restore(f"{tmp_path}/s_iter_0.solverstate")
