"""Tests of a solver: runs a test net, logs the means of its outputs and tells observers (Solver::Test)."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from caffe_compat.engine.create import Engine
from caffe_compat.net.net import Net
from caffe_compat.proto import caffe_pb2
from caffe_compat.solvers.display import Observer, ResultOfTest, log_outputs, name_elements, output_names, output_values

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


def run_and_log_test(
    engine: Engine,
    index: int,
    iteration: int,
    parameter: caffe_pb2.SolverParameter,
    is_interrupted: Callable[[], bool],
    observers: Sequence[Observer],
) -> float | None:
    """Tests the net of `engine`, the solver's test net number `index`; returns the weighted sum of its losses.

    Returns None where the test was interrupted or has no batch.
    """
    logger.info("Iteration %d, Testing net (#%d)", iteration, index)

    def show_batch(net: Net) -> None:
        for observer in observers:
            observer.on_test_batch(index, net)

    for observer in observers:
        observer.on_test_start(index)
    scores = run_test(engine, parameter.test_iter[index], is_interrupted, show_batch)
    if scores is None:
        return None
    if parameter.test_compute_loss:
        logger.info("Test loss: %g", scores.loss)
    log_outputs(engine.net, "Test", scores.outputs)
    figures = name_elements(output_names(engine.net), scores.outputs)
    for observer in observers:
        observer.on_test(ResultOfTest(iteration, index, scores.loss, figures))
    return scores.loss
