"""One test of a net: its outputs, averaged over batches (Solver::Test)."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import torch

from caffe_compat.engine.base import Engine
from caffe_compat.solvers.display import output_values

logger = logging.getLogger("caffe_compat")


@dataclass(frozen=True)
class Scores:
    """Means over the batches of a test."""

    loss: float  # the weighted sum of the losses
    outputs: list[float]  # the elements of all output blobs


def run_test(engine: Engine, batches: int, is_interrupted: Callable[[], bool]) -> Scores | None:
    """Runs the net `batches` times; None where the user stops it, which is asked before every batch, or without any."""
    loss, outputs = torch.zeros(()), torch.zeros(())
    with torch.no_grad():
        for _ in range(batches):
            if is_interrupted():
                logger.info("Test interrupted.")
                return None
            loss = loss + engine.forward()
            outputs = output_values(engine.net) + outputs.to(engine.net.device)
    return Scores(float(loss) / batches, (outputs / batches).tolist()) if batches else None
