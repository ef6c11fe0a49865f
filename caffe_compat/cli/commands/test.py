"""`test`: scores a model on batches of its TEST data."""

import argparse
import logging
from collections.abc import Sequence

import torch

from caffe_compat.cli.caffe_flags import add_caffe_flags, stages_of, surroundings_of, warn_of_idle_flags
from caffe_compat.cli.devices import gpus_of, use_first
from caffe_compat.cli.outputs import claim_files, figure, write_json
from caffe_compat.cli.parser import CommandParser, UsageError
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.engine.create import Engine, create_engine
from caffe_compat.net.build import load_net
from caffe_compat.net.net import Net
from caffe_compat.solvers.display import describe_output, output_names, output_values
from caffe_compat.solvers.solver_nets import copy_weights
from caffe_compat.terminal.progress import follow

OWN_FLAGS = ("model", "weights", "iterations", "level", "stage", "engine", "max-pixels", "json", "allow_python_layers")

logger = logging.getLogger("caffe_compat")


def parser() -> CommandParser:
    """Caffe's command line."""
    result = command_parser(
        "test",
        "Score a model on batches of its TEST data.",
        "caffe-compat test --model=net.prototxt --weights=net.caffemodel --iterations=100",
    )
    add_caffe_flags(result, OWN_FLAGS)
    return result


def run(arguments: argparse.Namespace) -> int:
    """Logs the outputs of every batch, then their means."""
    warn_of_idle_flags(arguments)
    if not arguments.model:
        raise UsageError("Need a model definition to score.")
    if not arguments.weights:
        raise UsageError("Need model weights to score.")
    claim_files([arguments.json] if arguments.json else [])
    use_first(gpus_of(arguments.device))
    net = load_net(arguments.model, "TEST", surroundings_of(arguments), arguments.level, tuple(stages_of(arguments)))
    copy_weights(net, arguments.weights)
    logger.info("Running for %d iterations.", arguments.iterations)
    scored = _score(create_engine(arguments.engine, net), arguments.iterations)
    if arguments.json:
        write_json(arguments.json, {"model": arguments.model, "weights": arguments.weights, **scored})
    net.close()
    return DONE


def _score(engine: Engine, iterations: int) -> dict[str, object]:
    """Logs each batch and the means; returns the means for programs."""
    loss, scores = torch.zeros(()), torch.zeros(())
    for batch in follow(range(iterations), "scoring", "batches"):
        loss = loss + engine.forward().cpu()
        values = output_values(engine.net).cpu()
        scores = values + scores
        _log_batch(engine.net, batch, values.tolist())
    mean_loss = float(loss) / iterations
    means = list(zip(output_names(engine.net), (scores / iterations).tolist(), strict=True))
    logger.info("Loss: %g", mean_loss)
    for name, mean in means:
        logger.info("%s", describe_output(engine.net, name, mean))
    weights = engine.net.blob_loss_weights
    return {
        "iterations": iterations,
        "loss": figure(mean_loss),
        "outputs": [{"blob": name, "mean": figure(mean), "loss_weight": weights[name]} for name, mean in means],
    }


def _log_batch(net: Net, batch: int, values: Sequence[float]) -> None:
    for name, value in zip(output_names(net), values, strict=True):
        logger.info("Batch %d, %s = %g", batch, name, value)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)
