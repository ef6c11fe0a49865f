"""Runs: one model trained on one dataset with one seed, each in a process of its own."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.batch import available_cores
from caffe_compat.errors import SolverError
from caffe_compat.experiments.arms import Arm
from caffe_compat.experiments.models import deploy_net
from caffe_compat.experiments.shared_steps import take_over_steps
from caffe_compat.srn.datasets.layout import SplitFiles, image_path, read_image_list
from caffe_compat.srn.prediction.predictor import Predictor
from caffe_compat.srn.stages.stages import Stage, find_stages
from caffe_compat.terminal.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
BATCH_SIZE = 50
SECONDS_BETWEEN_LOOKS, SECONDS_BETWEEN_LINES = 2.0, 10.0
#: Bytes at the end of a log that surely hold its last display.
LOG_END = 8192
ON_CPU = ("--device", "cpu")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """A model, the folder of a dataset's runs (with the data in DATASET/data), and the seed of both.

    `gpus` are the devices that predict; the CPU where there are none.
    """

    name: str
    arm: Arm
    dataset: Path
    seed: int
    gpus: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.arm.title} on {self.dataset.name}, seed {self.seed}"

    @property
    def folder(self) -> Path:
        """Where it trains."""
        return self.dataset / self.name

    @property
    def stages(self) -> list[Stage]:
        """Its training steps."""
        return find_stages(self.folder / "models")

    @property
    def deploy_net(self) -> Path:
        """The net that predicts."""
        return deploy_net(self.folder, self.arm)

    @property
    def weights(self) -> Path:
        """What training ends with."""
        return self.folder / self.stages[-1].final_weights

    def files(self, split: str) -> SplitFiles:
        """Its data."""
        return SplitFiles(self.dataset / "data", split)


def train(runs: Sequence[Run], say: Say, flags: Sequence[str] = ON_CPU) -> None:
    """Train all runs, two at a time, each on its share of the cores; `flags` are those of `train-stages`."""
    if not runs:
        return
    cores = available_cores()
    parallel = min(2, cores, len(runs)) if flags == ON_CPU else 1  # runs do not share a GPU
    with ThreadPoolExecutor(parallel) as pool:
        try:
            training = [pool.submit(_train, run, cores // parallel, say, flags) for run in runs]
            _show_progress(runs, training)
            for each in training:
                each.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # an interrupt or a failure ends those that wait as well
            raise


def _show_progress(runs: Sequence[Run], training: Sequence["Future[None]"]) -> None:
    """Until all have ended or one has failed: how many iterations are done, with the remaining time."""
    steps = [(run.folder, stage) for run in runs for stage in run.stages]  # read once: looks must cost little
    total = sum(stage.solver.max_iter for _, stage in steps)
    first = sum(_iterations_of(*step) for step in steps)
    with Progress("training", total, "iterations", done=first, seconds_between_lines=SECONDS_BETWEEN_LINES) as progress:
        while wait(training, timeout=SECONDS_BETWEEN_LOOKS, return_when=FIRST_EXCEPTION).not_done:
            if any(each.done() and each.exception() for each in training):
                return
            progress.move_to(sum(_iterations_of(*step) for step in steps))


def iterations_done(run: Run) -> int:
    """How many iterations of a run's steps are behind it, as far as the logs tell."""
    return sum(_iterations_of(run.folder, stage) for stage in run.stages)


def _iterations_of(folder: Path, stage: Stage) -> int:
    if (folder / stage.final_weights).exists():
        return stage.solver.max_iter
    return _last_iteration(folder / stage.log_file)


def _last_iteration(log: Path) -> int:
    """The last iteration that a log names; 0 where there is no log."""
    if not log.exists():
        return 0
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_END))
        named = re.findall(rb"Iteration (\d+)", file.read())
    return int(named[-1]) if named else 0


def _train(run: Run, threads: int, say: Say, flags: Sequence[str]) -> None:
    """Runs `train-stages`; its lines about steps are passed on, Caffe's log goes to a file."""
    started = time.monotonic()
    for stage in take_over_steps(run.folder):
        say(f"{run}: {stage} is the same in another run, so its weights are taken over")
    command = [sys.executable, "-m", "caffe_compat", "train-stages", "--models", "models", *flags]
    command += ["--allow-python-layers"] * run.arm.runs_python
    environment = with_this_package(os.environ | {"OMP_NUM_THREADS": str(threads)})
    with (run.folder / "training.log").open("w+") as log:
        with subprocess.Popen(
            command, cwd=run.folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process:
            for line in process.stdout or ():
                if "training from" in line:
                    say(f"{run}: {line.partition(':')[0]}")
        if process.returncode:
            log.seek(0)
            raise SolverError(f"{run}: training failed: {log.read().strip().splitlines()[-1]}")
    say(f"{run}: trained in {time.monotonic() - started:.0f} s")


def with_this_package(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a child process that finds this very package, wherever it starts."""
    paths = [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths)}


def predict(run: Run, output: str, split: str = "test") -> NDArray[np.float64]:
    """Raw scores (images, labels) of one output; kept in a file beside the run."""
    path = run.folder / f"{split}_{output}.txt"
    if not path.exists():
        files = run.files(split)
        paths = [image_path(f"{files.images}/", image.name) for image in read_image_list(files.image_list)]
        scores = Predictor(
            str(run.deploy_net),
            str(run.weights),
            BATCH_SIZE,
            output,
            gpus=run.gpus,
            allow_python_layers=run.arm.runs_python,
        ).predict(paths)
        np.savetxt(path, scores, fmt="%.6f")
    return np.loadtxt(path, ndmin=2)
