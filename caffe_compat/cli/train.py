"""`train`: trains a model as its solver says, from the start, from weights or from a snapshot."""

import logging
from collections.abc import Sequence
from dataclasses import replace

import torch

from caffe_compat.cli.caffe_flags import FLAGS, stages_of, surroundings_of
from caffe_compat.cli.devices import gpus_of, use_gpu
from caffe_compat.cli.flags import FlagError, Flags
from caffe_compat.cli.processes import Place, place_of_environment, process_group, start_workers
from caffe_compat.logs.log_file import log_to_file
from caffe_compat.net.build import Surroundings
from caffe_compat.net.device import set_mode_cpu
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_solver
from caffe_compat.solvers.actions import ACTIONS, Action, actions_of_signals
from caffe_compat.solvers.progress import progress_bar
from caffe_compat.solvers.solver import Solver

__all__ = ["FLAGS", "USAGE", "run"]

USAGE = "train --solver=SOLVER [--snapshot=STATE | --weights=MODEL,...] [--gpu=0,1|all]"

logger = logging.getLogger("caffe_compat")


def run(flags: Flags, arguments: Sequence[str]) -> int:
    """Trains; SIGINT and SIGHUP do what their flags say. Several GPUs get a process each."""
    parameter = solver_parameter(flags)
    place = place_of_environment()
    gpus = gpus_of(flags.gpu) or _gpus_of_solver(flags, parameter, place.world_size)
    if len(gpus) > 1 and place.world_size == 1:
        return start_workers(len(gpus))
    if place.rank:
        logger.setLevel(logging.WARNING)  # one log: the first process's
    with log_to_file(flags.log_file):
        _use_devices(gpus, place)
        with process_group(place):
            _train(parameter, flags, replace(surroundings_of(flags), rank=place.rank, world_size=place.world_size))
        logger.info("Optimization Done.")
    return 0


def _train(parameter: caffe_pb2.SolverParameter, flags: Flags, surroundings: Surroundings) -> None:
    sigint, sighup = (_action(flags, name) for name in ("sigint_effect", "sighup_effect"))
    with actions_of_signals(sigint, sighup) as requested:
        solver = Solver(parameter, flags.engine, surroundings)
        solver.requested_action = requested
        if flags.snapshot:
            logger.info("Resuming from %s", flags.snapshot)
            solver.restore(flags.snapshot)
        logger.info("Starting Optimization")
        with progress_bar(solver):
            solver.solve()
        solver.close()


def solver_parameter(flags: Flags) -> caffe_pb2.SolverParameter:
    """The solver's file with what the flags change in it."""
    if not flags.solver:
        raise FlagError("Need a solver definition to train.")
    if flags.snapshot and flags.weights:
        raise FlagError("Give a snapshot to resume training or weights to finetune but not both.")
    parameter = read_solver(flags.solver)
    parameter.train_state.level = flags.level
    parameter.train_state.stage.extend(stages_of(flags))
    if flags.snapshot or flags.weights:
        parameter.ClearField("weights")
        parameter.weights.extend([flags.weights] if flags.weights else [])
    return parameter


def _gpus_of_solver(flags: Flags, parameter: caffe_pb2.SolverParameter, world_size: int) -> list[int]:
    """Without --gpu the solver's solver_mode and device_id count; a solver_mode that is not set means CPU.

    The SRN fork's device_id names one GPU a process.
    """
    wants_gpu = parameter.HasField("solver_mode") and parameter.solver_mode == caffe_pb2.SolverParameter.GPU
    if not wants_gpu or flags.gpu:
        return []
    return list(parameter.device_id[:world_size]) or list(range(world_size))


def _use_devices(gpus: list[int], place: Place) -> None:
    if not gpus:
        logger.info("Use CPU.")
        set_mode_cpu()
        return
    logger.info("Using GPUs %s", ", ".join(map(str, gpus)))
    use_gpu(gpus[place.local_rank] if place.local_rank < len(gpus) else place.local_rank)
    for gpu in gpus:
        logger.info("GPU %d: %s", gpu, torch.cuda.get_device_name(gpu))


def _action(flags: Flags, name: str) -> Action:
    effect = getattr(flags, name)
    if effect not in ACTIONS:
        raise FlagError(f"Invalid signal effect '{effect}' was specified for --{name}; expected one of: "
                        f"{', '.join(ACTIONS)}")  # fmt: skip
    return ACTIONS[effect]
