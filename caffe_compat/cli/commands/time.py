"""`time`: benchmarks a model layer by layer, or as a whole in an engine that fuses layers."""

import argparse
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from caffe_compat.cli.caffe_flags import add_caffe_flags, stages_of, surroundings_of, warn_of_idle_flags
from caffe_compat.cli.devices import gpus_of, use_first
from caffe_compat.cli.outputs import claim_files, write_json
from caffe_compat.cli.parser import CommandParser, UsageError
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.engine.create import Engine, create_engine
from caffe_compat.engine.fast import FastEngine
from caffe_compat.net.build import load_net
from caffe_compat.net.net import Net
from caffe_compat.solvers.solver_nets import copy_weights
from caffe_compat.terminal.progress import follow

OWN_FLAGS = (
    "model", "weights", "phase", "iterations", "level", "stage", "engine", "max-pixels", "json", "allow_python_layers",
)  # fmt: skip

logger = logging.getLogger("caffe_compat")


def parser() -> CommandParser:
    """Caffe's command line, and --engine. Unlike in Caffe, --weights has an effect."""
    result = command_parser(
        "time",
        "Benchmark a model layer by layer, or with --engine as a whole.",
        "caffe-compat time --model=net.prototxt --phase=TEST --iterations=10",
    )
    add_caffe_flags(result, OWN_FLAGS)
    result.set_defaults(engine="exact")
    return result


def run(arguments: argparse.Namespace) -> int:
    """Logs how long forward and backward take: every layer with the exact engine, the whole net with any other."""
    warn_of_idle_flags(arguments)
    if not arguments.model:
        raise UsageError("Need a model definition to time.")
    claim_files([arguments.json] if arguments.json else [])
    use_first(gpus_of(arguments.device))
    net = load_net(
        arguments.model,
        arguments.phase or "TRAIN",
        surroundings_of(arguments),
        arguments.level,
        tuple(stages_of(arguments)),
    )
    if arguments.weights:  # Caffe accepts the flag here and does not read the file
        copy_weights(net, arguments.weights)
    if arguments.engine == "exact":
        figures = _time_layers(net, arguments.iterations)
    else:
        figures = _time_whole(create_engine(arguments.engine, net), arguments.iterations)
    if arguments.json:
        about = {name: getattr(arguments, name) for name in ("model", "weights", "engine", "iterations")}
        write_json(arguments.json, about | figures)
    net.close()
    return DONE


def _time_layers(net: Net, iterations: int) -> dict[str, object]:
    """Logs how long each layer takes; returns the figures for programs."""
    logger.info("Performing Forward")
    last = len(net.steps) - 1
    logger.info("Initial loss: %g", net.forward_range(0, last))
    logger.info("Performing Backward")
    net.backward_range(last, 0)
    times = _benchmark(net, iterations)
    _report(times)
    return _as_json(times)


def _time_whole(engine: Engine, iterations: int) -> dict[str, object]:
    """Logs how long a pass takes, whose layers cannot be told apart; returns the figures for programs.

    Passes forward and backward are timed if the engine finds gradients.
    """
    passes = {"forward": ("Average Forward pass", engine.forward)}
    if isinstance(engine, FastEngine) and engine.finds_gradients:  # other runtimes only predict
        passes["forward_backward"] = ("Average Forward-Backward", engine.forward_backward)
    figures: dict[str, object] = {}
    for name, (title, run_pass) in passes.items():
        _milliseconds(engine.net, run_pass)  # the first pass plans the net and packs its weights
        spent = [_milliseconds(engine.net, run_pass) for _ in follow(range(iterations), "timing", "iterations")]
        mean = figures[f"{name}_ms"] = sum(spent) / iterations
        logger.info("%s: %g ms.", title, mean)
    return figures


@dataclass(frozen=True)
class _Times:
    """What a benchmark measured: milliseconds of all iterations together; one element of the lists per layer."""

    names: list[str]
    forward: list[float]
    backward: list[float]
    total: float
    iterations: int


def _benchmark(net: Net, iterations: int) -> _Times:
    logger.info("*** Benchmark begins ***")
    logger.info("Testing for %d iterations.", iterations)
    layers = range(len(net.steps))
    forward, backward = [0.0] * len(layers), [0.0] * len(layers)
    started = time.perf_counter()
    for iteration in follow(range(iterations), "timing", "iterations"):
        before = time.perf_counter()
        for layer in layers:
            forward[layer] += _milliseconds(net, net.forward_range, layer, layer)
        for layer in reversed(layers):
            backward[layer] += _milliseconds(net, net.backward_range, layer, layer)
        passed = (time.perf_counter() - before) * 1e3
        logger.info("Iteration: %d forward-backward time: %g ms.", iteration + 1, passed)
    total = (time.perf_counter() - started) * 1e3
    return _Times(net.layer_names, forward, backward, total, iterations)


def _milliseconds(net: Net, run_pass: Callable[..., object], *layers: int) -> float:
    before = time.perf_counter()
    run_pass(*layers)
    if net.device.type == "cuda":
        torch.cuda.synchronize(net.device)
    return (time.perf_counter() - before) * 1e3


def _report(times: _Times) -> None:
    iterations = times.iterations
    logger.info("Average time per layer: ")
    for name, there, back in zip(times.names, times.forward, times.backward, strict=True):
        logger.info("%10s\tforward: %g ms.", name, there / iterations)
        logger.info("%10s\tbackward: %g ms.", name, back / iterations)
    logger.info("Average Forward pass: %g ms.", sum(times.forward) / iterations)
    logger.info("Average Backward pass: %g ms.", sum(times.backward) / iterations)
    logger.info("Average Forward-Backward: %g ms.", times.total / iterations)
    logger.info("Total Time: %g ms.", times.total)
    logger.info("*** Benchmark ends ***")


def _as_json(times: _Times) -> dict[str, object]:
    """The figures of the log for programs: mean milliseconds of one iteration."""
    layers = [
        {"name": name, "forward_ms": there / times.iterations, "backward_ms": back / times.iterations}
        for name, there, back in zip(times.names, times.forward, times.backward, strict=True)
    ]
    return {
        "forward_ms": sum(times.forward) / times.iterations,
        "backward_ms": sum(times.backward) / times.iterations,
        "forward_backward_ms": times.total / times.iterations,
        "total_ms": times.total,
        "layers": layers,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)
