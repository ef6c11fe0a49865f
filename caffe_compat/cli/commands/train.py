"""`train`: trains a model as its solver says, from the start, from weights or from a snapshot."""

import argparse
import logging
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from caffe_compat.cli.caffe_flags import add_caffe_flags, stages_of, surroundings_of, warn_of_idle_flags
from caffe_compat.cli.devices import ProcessPlace, gpus_of, place_of_environment, process_group, start_workers, use_gpu
from caffe_compat.cli.flags import add_seed
from caffe_compat.cli.outputs import claim_folder
from caffe_compat.cli.parser import BooleanAction, CommandParser, UsageError
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.logs.log_file import log_to_file
from caffe_compat.net.settings import set_mode_cpu
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_solver
from caffe_compat.solvers.run_training import AUTO, Watch, Wishes, run_training
from caffe_compat.solvers.solver import Solver

OWN_FLAGS = (
    "solver",
    "snapshot",
    "keep",
    "on-nan",
    "worker-timeout",
    "check-data",
    "cache-features",
    "weights",
    "level",
    "stage",
    "engine",
    "sigint_effect",
    "sighup_effect",
    "log_file",
    "allow_python_layers",
    "max-pixels",
)

logger = logging.getLogger("caffe_compat")


def parser() -> CommandParser:
    """Caffe's command line."""
    result = command_parser(
        "train",
        "Train a model as its solver says: from the start, from weights, or from a snapshot.",
        "caffe-compat train --solver=solver.prototxt --weights=init.caffemodel --gpu=0,1",
    )
    add_caffe_flags(result, OWN_FLAGS)
    add_seed(result, "start of the random numbers, in place of the solver's random_seed", default=None)
    result.add_argument("--watch", default="", metavar="DIR",
                        help="a folder for report.html, metrics.jsonl and attention maps of test images")  # fmt: skip
    result.add_argument("--tensorboard", action=BooleanAction,
                        help="write TensorBoard files into the folder of --watch as well")  # fmt: skip
    return result


def run(arguments: argparse.Namespace) -> int:
    """Trains; SIGINT and SIGHUP do what their flags say. Several GPUs get a process each."""
    warn_of_idle_flags(arguments)
    parameter = solver_parameter(arguments)
    watch = _watch(arguments)
    place = place_of_environment()
    gpus = gpus_of(arguments.device) or _gpus_of_solver(arguments, parameter, place.world_size)
    if len(gpus) > 1 and place.world_size == 1:
        return start_workers(len(gpus), partial(train_as_worker, arguments))
    if place.rank:
        logger.setLevel(logging.WARNING)  # one log: the first process's
    with log_to_file(arguments.log_file) if arguments.log_file else nullcontext():
        _use_devices(gpus, place)
        surroundings = replace(surroundings_of(arguments), rank=place.rank, world_size=place.world_size)
        with process_group(place):
            status = run_training(parameter, surroundings, _wishes(arguments), watch)
        if status == DONE:
            logger.info("Optimization Done.")
    return status


def _watch(arguments: argparse.Namespace) -> Watch:
    if arguments.tensorboard and not arguments.watch:
        raise UsageError("--tensorboard needs --watch=DIR, the folder for its files")
    folder = Path(arguments.watch) if arguments.watch else None
    if folder is not None:
        claim_folder(folder)
    return partial(_watched, folder=folder, tensorboard=arguments.tensorboard)


def _watched(solver: Solver, folder: Path | None, tensorboard: bool) -> AbstractContextManager[None]:
    """Watches a training for its folder, for a terminal, or to measure its tests; else there is nothing to watch."""
    if folder is None and not sys.stderr.isatty() and not solver.test_nets:
        return nullcontext()
    from caffe_compat.srn.watching.watch_folder import watched

    return watched(solver, folder, tensorboard)


def _wishes(arguments: argparse.Namespace) -> Wishes:
    return Wishes(
        engine=arguments.engine,
        snapshot=arguments.snapshot,
        on_nan=arguments.on_nan,
        keep=arguments.keep,
        sigint_effect=arguments.sigint_effect,
        sighup_effect=arguments.sighup_effect,
        patience=arguments.worker_timeout,
        check_data=arguments.check_data,
        cache_features=arguments.cache_features,
    )


def train_as_worker(arguments: argparse.Namespace) -> int:
    """Runs in each of several processes: the same command, which finds its place in the environment."""
    return run_program(parser(), lambda _: run(arguments), [])


def solver_parameter(arguments: argparse.Namespace) -> caffe_pb2.SolverParameter:
    """Returns the solver of --solver, changed as the flags say."""
    if not arguments.solver:
        raise UsageError("Need a solver definition to train.")
    if arguments.snapshot not in ("", AUTO) and arguments.weights:
        raise UsageError("Give a snapshot to resume training or weights to finetune but not both.")
    parameter = read_solver(arguments.solver)
    parameter.train_state.level = arguments.level
    if arguments.seed is not None:
        parameter.random_seed = arguments.seed
    parameter.train_state.stage.extend(stages_of(arguments))
    if arguments.weights:
        parameter.ClearField("weights")
        parameter.weights.append(arguments.weights)
    return parameter


def _gpus_of_solver(arguments: argparse.Namespace, parameter: caffe_pb2.SolverParameter, world_size: int) -> list[int]:
    """Without --gpu the solver's solver_mode and device_id count; a solver_mode that is not set means CPU.

    The SRN fork's device_id names one GPU a process.
    """
    wants_gpu = parameter.HasField("solver_mode") and parameter.solver_mode == caffe_pb2.SolverParameter.GPU
    if not wants_gpu or arguments.device:
        return []
    return list(parameter.device_id[:world_size]) or list(range(world_size))


def _use_devices(gpus: list[int], place: ProcessPlace) -> None:
    if not gpus:
        logger.info("Use CPU.")
        set_mode_cpu()
        return
    logger.info("Using GPUs %s", ", ".join(map(str, gpus)))
    use_gpu(gpus[place.local_rank] if place.local_rank < len(gpus) else place.local_rank)
    for gpu in gpus:
        logger.info("GPU %d: %s", gpu, torch.cuda.get_device_name(gpu))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)
