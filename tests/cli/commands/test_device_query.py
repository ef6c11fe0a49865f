"""`device_query`."""

import pytest
import torch

from tests.cli.conftest import Run
from tests.cli.messages import messages


def test_no_gpu_asked_for(run: Run) -> None:
    status, log = run("device_query")
    assert (status, messages(log)) == (0, ["Querying GPUs "])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there are GPUs")
def test_a_gpu_that_is_not_there(run: Run) -> None:
    status, log = run("device_query", "--gpu=0")
    assert status == 1
    assert messages(log)[-1].startswith("cannot use GPU mode")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu(run: Run) -> None:
    status, log = run("device_query", "--gpu=0")
    assert status == 0
    assert f"{'Name:':31}{torch.cuda.get_device_name(0)}" in messages(log)
