"""`test`: scores a model on batches of its TEST data."""

import logging
from collections.abc import Sequence

import torch

from caffe_compat.cli.caffe_flags import FLAGS, stages_of, surroundings_of
from caffe_compat.cli.devices import gpus_of, use_first
from caffe_compat.cli.flags import FlagError, Flags
from caffe_compat.engine.base import Engine
from caffe_compat.engine.create import create_engine
from caffe_compat.net.build import load_net
from caffe_compat.net.net import Net
from caffe_compat.solvers.display import describe_output, output_names, output_values
from caffe_compat.solvers.solver_nets import copy_weights

__all__ = ["FLAGS", "USAGE", "run"]

USAGE = "test --model=NET --weights=MODEL,... [--iterations=50] [--gpu=0]"

logger = logging.getLogger("caffe_compat")


def run(flags: Flags, arguments: Sequence[str]) -> int:
    """Logs the outputs of every batch, then their means."""
    if not flags.model:
        raise FlagError("Need a model definition to score.")
    if not flags.weights:
        raise FlagError("Need model weights to score.")
    if flags.iterations < 1:
        raise FlagError(f"flag '--iterations': expected at least 1, got {flags.iterations}")
    use_first(gpus_of(flags.gpu))
    net = load_net(flags.model, "TEST", surroundings_of(flags), flags.level, tuple(stages_of(flags)))
    copy_weights(net, flags.weights)
    logger.info("Running for %d iterations.", flags.iterations)
    _score(create_engine(flags.engine, net), flags.iterations)
    net.close()
    return 0


def _score(engine: Engine, iterations: int) -> None:
    loss, scores = torch.zeros(()), torch.zeros(())
    for batch in range(iterations):
        loss = loss + engine.forward().cpu()
        values = output_values(engine.net).cpu()
        scores = values + scores
        _log_batch(engine.net, batch, values.tolist())
    logger.info("Loss: %g", float(loss) / iterations)
    for name, mean in zip(output_names(engine.net), (scores / iterations).tolist(), strict=True):
        logger.info("%s", describe_output(engine.net, name, mean))


def _log_batch(net: Net, batch: int, values: Sequence[float]) -> None:
    for name, value in zip(output_names(net), values, strict=True):
        logger.info("Batch %d, %s = %g", batch, name, value)
