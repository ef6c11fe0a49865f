"""Train a model in the paper's steps, each from the weights of the one before; run it again to go on after a stop.

On several machines or processes: torchrun --nproc_per_node N -m caffe_compat train-stages --models DIR.

"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from signal import Signals

from caffe_compat.cli.flags import add_device, add_engine, add_quiet
from caffe_compat.cli.parser import BooleanAction, CommandParser
from caffe_compat.cli.start import DONE, command_parser, run_program
from caffe_compat.errors import SolverError
from caffe_compat.solvers.actions import ENDED_BY_SIGNAL, STOPPED_EARLY
from caffe_compat.srn.stages.first_weights import start_of
from caffe_compat.srn.stages.stages import Stage, choose_stages, find_stages
from caffe_compat.srn.stages.step_process import has_finished, is_first_process, start_process, wait_for


def parser() -> CommandParser:
    """The command line."""
    result = command_parser(
        "train-stages",
        f"{__doc__}Run it from the folder where the files were generated.",
        "caffe-compat train-stages --models models/coco_srn --weights ResNet-101-model.caffemodel",
    )
    result.add_argument("--models", type=Path, required=True, help="the folder of step_*_solver.prototxt")
    result.add_argument("--step", default="all", help="all (default), one step, or several as 2-4")
    result.add_argument(
        "--weights",
        help="first weights of the first step, such as the public ImageNet ResNet-101.caffemodel or a trained SRN",
    )
    add_engine(result)
    add_device(result, default="as the solvers say")
    result.add_argument(
        "--allow-python-layers", action=BooleanAction, help="let Python layers of the nets run the code that they name"
    )
    result.add_argument(
        "--cache-features",
        action=BooleanAction,
        help="in steps with fixed layers, compute these once for each image; needs data without random crops",
    )
    add_quiet(result, "show warnings, errors and the files of each step; the log files are complete")
    return result


def train(
    stage: Stage,
    start: dict[str, str],
    engine: str,
    device: str,
    allow_python_layers: bool = False,
    quiet: bool = False,
    cache_features: bool = False,
) -> int:
    """Run Caffe's train command on one step, in a process of its own, which leaves no memory behind on the GPU.

    Returns 0, or STOPPED_EARLY where a signal stopped the step after a snapshot. SolverError where it failed.
    """
    given = {"solver": str(stage.solver_file), **start, "engine": engine, "device": device, "log_file": stage.log_file}
    flags = [f"--{flag}={value}" for flag, value in (given | {"watch": stage.watch_folder}).items() if value]
    flags += ["--allow_python_layers"] * allow_python_layers + ["--quiet"] * quiet
    flags += ["--cache-features"] * cache_features
    status = wait_for(start_process([sys.executable, "-m", "caffe_compat", "train", *flags], stage))
    if status == STOPPED_EARLY:
        return status
    if status < 0 or status > ENDED_BY_SIGNAL:
        number = -status if status < 0 else status - ENDED_BY_SIGNAL
        raise SolverError(f"{stage}: ended by {Signals(number).name}; run the command again to go on")
    if status:
        raise SolverError(f"{stage}: training failed; the error is above")
    if not has_finished(stage):
        raise SolverError(f"{stage}: stopped before iteration {stage.solver.max_iter}; run the command again to go on")
    return DONE


def origin(stage: Stage, start: dict[str, str]) -> str:
    """What a step starts from, in words."""
    if "snapshot" in start:
        return f"its newest snapshot {stage.solver.snapshot_prefix}_iter_*"
    return start.get("weights", "scratch")


def say(line: str) -> None:
    """Print a line, in one of several processes only."""
    if is_first_process():
        print(line, flush=True)


def run(arguments: argparse.Namespace) -> int:
    """Trains the chosen steps that are not done yet."""
    stages = find_stages(arguments.models)
    chosen = choose_stages(stages, arguments.step)
    for stage in chosen:
        if not stage.is_done:
            start = start_of(stage, stages, arguments.weights, chosen[0].number, arguments.allow_python_layers)
            for line in start.notes:
                say(line)
            if not arguments.quiet:
                say(f"{stage}: training from {origin(stage, start.flags)}")
                say(f"{stage}: watch it in {stage.watch_folder}/report.html, written after each test")
            status = train(
                stage,
                start.flags,
                arguments.engine,
                arguments.device,
                arguments.allow_python_layers,
                arguments.quiet,
                arguments.cache_features,
            )
            if status == STOPPED_EARLY:
                say(f"{stage}: stopped, with a snapshot; run the command again to go on")
                return STOPPED_EARLY
        say(f"{stage}: done, weights in {stage.final_weights}, log in {stage.log_file}")
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)
