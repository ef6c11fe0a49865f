"""One test of a net: the means of its outputs over batches (Solver::Test)."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch

from caffe_compat.engine.base import Engine
from caffe_compat.net.net import Net
from caffe_compat.solvers.display import output_values

logger = logging.getLogger("caffe_compat")


@dataclass(frozen=True)
class Scores:
    """Means over the batches of a test."""

    loss: float  # the weighted sum of the losses
    outputs: list[float]  # the elements of all output blobs


def run_test(
    engine: Engine, batches: int, is_interrupted: Callable[[], bool], after_batch: Callable[[Net], object]
) -> Scores | None:
    """Run the net `batches` times and call `after_batch` with it each time.

    Returns None where `is_interrupted`, which is asked before every batch, says so, and where there is no batch.
    """
    loss, outputs = torch.zeros(()), torch.zeros(())
    with torch.no_grad():
        for _ in range(batches):
            if is_interrupted():
                logger.info("Test interrupted.")
                return None
            loss = loss + engine.forward()
            outputs = output_values(engine.net) + outputs.to(engine.net.device)
            after_batch(engine.net)
    return Scores(float(loss) / batches, (outputs / batches).tolist()) if batches else None
