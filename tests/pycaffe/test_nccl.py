"""Processes that train one net, as pycaffe's train.py does."""

import multiprocessing
from pathlib import Path

import numpy as np
import pytest
from torch import distributed

from caffe_compat import pycaffe
from caffe_compat.errors import MissingFeatureError
from caffe_compat.net import settings
from caffe_compat.pycaffe.nccl import NCCL, has_nccl

NET = """
layer { name: 'data' type: 'Input' top: 'data' top: 'target'
  input_param { shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 } } }
layer { name: 'fc' type: 'InnerProduct' bottom: 'data' top: 'fc'
  inner_product_param { num_output: 2 weight_filler { type: 'gaussian' } } }
layer { name: 'loss' type: 'EuclideanLoss' bottom: 'fc' bottom: 'target' top: 'loss' }
"""
STEPS = 3


def write_solver(folder: Path) -> str:
    (folder / "net.prototxt").write_text(NET)
    solver = folder / "solver.prototxt"
    solver.write_text(
        f"net: '{folder}/net.prototxt' base_lr: 0.1 lr_policy: 'fixed' momentum: 0.9 max_iter: {STEPS} "
        f"snapshot_prefix: '{folder}/s'"
    )
    return str(solver)


def part(rank: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(rank)
    return random.randn(4, 3), random.randn(4, 2)


def train(solver: pycaffe.SGDSolver) -> None:
    solver.net.params["fc"][1].data[...] = 0.5
    solver.step(STEPS)


def train_one_of_two(folder: str, uid: bytes, rank: int) -> None:
    settings.set_solver_count(2)
    settings.set_solver_rank(rank)
    settings.set_random_seed(rank)
    solver = pycaffe.SGDSolver(f"{folder}/solver.prototxt")
    joined = NCCL(solver, uid)
    joined.bcast()
    first = np.array(solver.net.params["fc"][0].data)
    solver.add_callback(joined)
    solver.net.after_backward(joined)
    for blob, values in zip(("data", "target"), part(rank), strict=True):
        solver.net.blobs[blob].data[...] = values
    train(solver)
    np.savez(f"{folder}/rank_{rank}.npz", first=first, last=solver.net.params["fc"][0].data)
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_mean_gradient(tmp_path: Path) -> None:
    file, uid = write_solver(tmp_path), NCCL.new_uid()
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=train_one_of_two, args=(str(tmp_path), uid, rank)) for rank in (0, 1)]
    for one in both:
        one.start()
    for one in both:
        one.join(timeout=120)
    ranks = [np.load(tmp_path / f"rank_{rank}.npz") for rank in (0, 1)]
    assert (ranks[0]["first"] == ranks[1]["first"]).all()
    assert (ranks[0]["last"] == ranks[1]["last"]).all()

    # The loss is a mean over the batch: both halves in one batch have the mean of the gradients.
    (tmp_path / "net.prototxt").write_text(NET.replace("dim: 4", "dim: 8"))
    alone = pycaffe.SGDSolver(file)
    alone.net.params["fc"][0].data[...] = ranks[0]["first"]
    for index, blob in enumerate(("data", "target")):
        alone.net.blobs[blob].data[...] = np.concatenate([part(rank)[index] for rank in (0, 1)])
    train(alone)
    np.testing.assert_allclose(ranks[0]["last"], alone.net.params["fc"][0].data, atol=1e-6)


def test_alone_nothing_is_exchanged(tmp_path: Path) -> None:
    solver = pycaffe.SGDSolver(write_solver(tmp_path))
    joined = NCCL(solver, NCCL.new_uid())
    joined.bcast()
    solver.add_callback(joined)
    solver.step(1)
    assert not distributed.is_initialized()


def test_a_uid_is_bytes() -> None:
    assert isinstance(NCCL.new_uid(), bytes)
    assert NCCL.new_uid() != NCCL.new_uid()
    assert isinstance(has_nccl(), bool)


def test_a_torch_without_processes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "is_available", lambda: False)
    assert not has_nccl()
    with pytest.raises(MissingFeatureError, match=r"^this torch has no torch\.distributed"):
        NCCL.new_uid()
