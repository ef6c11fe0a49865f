"""Train a model in the paper's steps, each from the weights of the one before; run it again to go on after a stop.

On several machines or processes: torchrun --nproc_per_node N tools/train_stages.py --models DIR.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from signal import Signals

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from caffe_compat.errors import CaffeError, SolverError
from caffe_compat.srn.stages.stages import Stage, choose_stages, find_stages, starting_point
from caffe_compat.srn.stages.step_process import environment_of, has_finished, is_first_process, wait_for


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(
        description=__doc__, epilog="Run it from the folder where the files were generated."
    )
    result.add_argument("--models", type=Path, required=True, help="the folder of step_*_solver.prototxt")
    result.add_argument("--step", default="all", help="all (default), one step, or several as 2-4")
    result.add_argument("--weights", help="what step 1 starts from, such as the public ImageNet ResNet-101.caffemodel")
    result.add_argument("--engine", choices=("fast", "exact"), default="fast", help="how to run nets (default: fast)")
    result.add_argument("--gpu", default="", help="as of caffe train: 0,1, all, none (default: as the solvers say)")
    return result


def train(stage: Stage, start: dict[str, str], engine: str, gpu: str) -> None:
    """Run Caffe's train command on one step, in a process of its own, which leaves no memory behind on the GPU."""
    given = {"solver": str(stage.solver_file), **start, "engine": engine, "gpu": gpu, "log_file": stage.log_file}
    flags = [f"--{flag}={value}" for flag, value in given.items() if value]
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


def main() -> int:
    """Train the chosen steps that are not done yet."""
    arguments = parser().parse_args()
    try:
        stages = find_stages(arguments.models)
        for stage in choose_stages(stages, arguments.step):
            if not stage.is_done:
                start = starting_point(stage, stages, arguments.weights)
                say(f"{stage}: training from {' '.join(start.values()) or 'scratch'}")
                train(stage, start, arguments.engine, arguments.gpu)
            say(f"{stage}: done, weights in {stage.final_weights}, log in {stage.log_file}")
    except CaffeError as error:
        print(f"train_stages.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
