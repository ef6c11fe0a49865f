"""Gather and Scatter between two real processes."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

WORKER = """
    import sys
    import torch
    from torch import distributed
    from caffe_compat.layers.utility.process_group import gather, scatter

    rank, meeting_place = int(sys.argv[1]), sys.argv[2]
    distributed.init_process_group("gloo", init_method=f"file://{meeting_place}", rank=rank, world_size=2)
    own = torch.tensor([[1.0, 2.0], [3.0, 4.0]]) + 10 * rank
    own.requires_grad_()
    joined = gather(own, rank, 2)
    assert joined.tolist() == [[1, 2], [3, 4], [11, 12], [13, 14]], joined
    weights = torch.arange(8.0).reshape(4, 2)
    (gradient,) = torch.autograd.grad((joined * weights).sum(), own)
    assert torch.equal(gradient, 2 * weights[2 * rank : 2 * rank + 2]), gradient

    whole = (torch.arange(8.0).reshape(4, 2) + 100 * rank).requires_grad_()
    part = scatter(whole, rank, 2)
    assert torch.equal(part, weights[2 * rank : 2 * rank + 2]), part  # the first process's values
    (gradient,) = torch.autograd.grad((part * (rank + 1)).sum(), whole)
    assert gradient.tolist() == [[0.5, 0.5], [0.5, 0.5], [1, 1], [1, 1]], gradient
    distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_exchange_batches_and_gradients(tmp_path: Path) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", textwrap.dedent(WORKER)]
    workers = [
        subprocess.Popen([*command, str(rank), str(tmp_path / "store")], env=environment, stderr=subprocess.PIPE)
        for rank in range(2)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=120)
        assert worker.returncode == 0, errors.decode()
