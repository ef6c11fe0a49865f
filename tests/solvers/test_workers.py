"""Two processes with a batch of n train as one with 2n, share actions, and end with one that is lost."""

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from google.protobuf import text_format
from torch import distributed

from caffe_compat.errors import SolverError
from caffe_compat.net.settings import Surroundings
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_weights
from caffe_compat.solvers.actions import Action
from caffe_compat.solvers.solver import Solver
from caffe_compat.solvers.workers import Alone, ProcessGroup, heartbeat, join_workers

NET = """
net_param {{
  name: "shared"
  layer {{ name: "rows" type: "HDF5Data" top: "data" top: "target"
    hdf5_data_param {{ source: "{folder}/rows.txt" batch_size: {batch_size} }} }}
  layer {{ name: "hidden" type: "InnerProduct" bottom: "data" top: "h" inner_product_param {{ num_output: 5
    weight_filler {{ type: "gaussian" std: 0.5 }} }} }}
  layer {{ name: "relu" type: "ReLU" bottom: "h" top: "h" }}
  layer {{ name: "ip" type: "InnerProduct" bottom: "h" top: "y" inner_product_param {{ num_output: 3
    weight_filler {{ type: "gaussian" std: 0.5 }} }} }}
  layer {{ name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "target" top: "loss" }}
}}
base_lr: 0.05 momentum: 0.9 weight_decay: 0.02 lr_policy: "fixed" iter_size: 2 clip_gradients: 0.8 random_seed: 4
max_iter: 6 test_iter: 2 test_interval: 2 snapshot_prefix: "{folder}/{name}"
"""


def solver_of(folder: Path, name: str, batch_size: int) -> caffe_pb2.SolverParameter:
    text = NET.format(folder=folder, name=name, batch_size=batch_size)
    return text_format.Parse(text, caffe_pb2.SolverParameter())


def write_rows(folder: Path) -> None:
    random = np.random.RandomState(1)
    with h5py.File(folder / "rows.h5", "w") as file:
        file["data"] = random.randn(40, 4).astype(np.float32)
        file["target"] = random.randn(40, 3).astype(np.float32)
    (folder / "rows.txt").write_text(f"{folder}/rows.h5\n")


def train_to_the_end(solver: Solver) -> None:
    solver.solve()


def train_until_asked(solver: Solver) -> None:
    """The second process is asked for a snapshot, then the first to stop."""
    asked = {1: {3: Action.SNAPSHOT}, 0: {4: Action.STOP}}[solver.workers.rank]
    solver.parameter.test_interval = 0
    solver.requested_action = lambda: asked.get(solver.iteration, Action.NONE)
    solver.solve()


def _work(rank: int, port: int, folder: Path, train: Callable[[Solver], None]) -> None:
    address = f"tcp://127.0.0.1:{port}"
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    solver = Solver(solver_of(folder, "two", 4), "exact", Surroundings(rank=rank, world_size=2))
    train(solver)
    distributed.destroy_process_group()


def run_two(folder: Path, train: Callable[[Solver], None]) -> None:
    write_rows(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_work, args=(rank, port, folder, train)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]


@pytest.mark.slow
def test_two_processes_with_n_are_one_with_2n(tmp_path: Path) -> None:
    run_two(tmp_path, train_to_the_end)
    Solver(solver_of(tmp_path, "one", 8)).solve()
    one, two = (read_weights(tmp_path / f"{name}_iter_6.caffemodel").layers for name in ("one", "two"))
    for expected, got in zip(one, two, strict=True):
        for blob, other in zip(expected.blobs, got.blobs, strict=True):
            np.testing.assert_allclose(other, blob, rtol=2e-5, atol=1e-6)  # another order of summation


@pytest.mark.slow
def test_what_one_process_is_asked_for_all_do(tmp_path: Path) -> None:
    run_two(tmp_path, train_until_asked)
    assert sorted(path.name for path in tmp_path.glob("*.solverstate")) == [
        "two_iter_3.solverstate",
        "two_iter_4.solverstate",
    ]


def test_unconnected_workers_leave_averaging_to_callbacks() -> None:
    assert isinstance(join_workers(Surroundings(rank=1, world_size=2)), Alone)


def test_a_lost_process_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*arguments: object, **keywords: object) -> None:
        raise RuntimeError("Connection closed by peer [127.0.0.1]:4\nand more lines")

    workers = ProcessGroup.__new__(ProcessGroup)
    workers.rank, workers.size, workers._messages = 1, 3, None
    monkeypatch.setattr(distributed, "all_gather_object", closed)
    monkeypatch.setattr(distributed, "all_reduce", closed)
    message = (
        r"^process 1 has lost one of the 3 processes, whose own message says why; resume .*\(Connection closed by p"
    )
    with pytest.raises(SolverError, match=message):
        workers.gather(0)
    with pytest.raises(SolverError, match=message):
        workers.average([torch.zeros(2)])


def test_the_log_says_how_many_items_an_update_sees(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    write_rows(tmp_path)
    Solver(solver_of(tmp_path, "one", 8))
    assert "Effective batch size: 16 (1 workers x iter_size 2 x batch_size 8)" in caplog.messages


PROGRAM = """
import sys, time
from torch import distributed
from caffe_compat.solvers.workers import heartbeat
rank, port, seconds = map(int, sys.argv[1:])
distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
with heartbeat(4):
    print("ready", flush=True)
    time.sleep(seconds)
distributed.destroy_process_group()
"""


def start(seconds: int) -> list["subprocess.Popen[bytes]"]:
    """Two processes that are connected and then work for some seconds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(rank), port, str(seconds * (1 + rank))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        for rank in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    return processes


def test_alone_there_is_no_heartbeat() -> None:
    with heartbeat(0.0):
        pass


@pytest.mark.slow
def test_the_others_end_where_one_is_stopped() -> None:
    first, second = start(60)
    second.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    try:
        assert first.wait(30) == 1
        assert time.monotonic() - began < 20
        assert b"process 0: one of the 2 processes gave no sign for 4 s; resume from" in first.communicate()[1]
    finally:
        second.kill()
        second.communicate()


@pytest.mark.slow
def test_the_others_end_where_one_is_killed() -> None:
    first, second = start(60)
    second.kill()
    second.communicate()
    assert first.wait(30) == 1
    assert b"process 0: one of the 2 processes has ended; resume from the last snapshot" in first.communicate()[1]


@pytest.mark.slow
def test_processes_that_end_at_other_times_are_not_taken_for_lost() -> None:
    processes = start(3)
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0]
