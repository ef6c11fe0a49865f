"""Train a model in the paper's steps, each from the weights of the one before; run it again to go on after a stop.

On several machines or processes: torchrun --nproc_per_node N -m caffe_compat train-stages --models DIR.

"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from signal import Signals

from caffe_compat.cli.common_flags import add_device, add_engine
from caffe_compat.cli.endings import DONE
from caffe_compat.cli.parser import BooleanAction, CommandParser, command_parser
from caffe_compat.cli.program import run_program
from caffe_compat.errors import SolverError
from caffe_compat.srn.stages.first_weights import start_of
from caffe_compat.srn.stages.stages import Stage, choose_stages, find_stages
from caffe_compat.srn.stages.step_process import environment_of, has_finished, is_first_process, wait_for


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
        help="what the first step starts from, such as the public ImageNet ResNet-101.caffemodel or a trained SRN",
    )
    add_engine(result)
    add_device(result, default="as the solvers say")
    result.add_argument(
        "--allow-python-layers", action=BooleanAction, help="let Python layers of the nets run the code that they name"
    )
    return result


def train(stage: Stage, start: dict[str, str], engine: str, device: str, allow_python_layers: bool = False) -> None:
    """Run Caffe's train command on one step, in a process of its own, which leaves no memory behind on the GPU."""
    given = {"solver": str(stage.solver_file), **start, "engine": engine, "device": device, "log_file": stage.log_file}
    flags = [f"--{flag}={value}" for flag, value in given.items() if value]
    flags += ["--allow_python_layers"] * allow_python_layers
    command = [sys.executable, "-m", "caffe_compat", "train", *flags]
    status = wait_for(subprocess.Popen(command, env=environment_of(stage)))
    if status < 0:
        raise SolverError(f"{stage}: ended by {Signals(-status).name}; run the command again to go on")
    if status:
        raise SolverError(f"{stage}: training failed; the error is above")
    if not has_finished(stage):
        raise SolverError(f"{stage}: stopped before iteration {stage.solver.max_iter}; run the command again to go on")


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
            say(f"{stage}: training from {' '.join(start.flags.values()) or 'scratch'}")
            train(stage, start.flags, arguments.engine, arguments.device, arguments.allow_python_layers)
        say(f"{stage}: done, weights in {stage.final_weights}, log in {stage.log_file}")
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    return run_program(parser(), run, argv)
