"""How long a training takes, from one measured iteration of each step, before any data is needed."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch

from caffe_compat.experiments.runs import Run, with_this_package
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_net
from caffe_compat.solvers.solver import Solver
from caffe_compat.srn.stages.stages import Stage

#: Iterations before the clock starts, and with the clock running.
WARM_UP, TIMED = 1, 2
#: Section 3.4: "training costs about 16 hours for all steps" of MS-COCO, on four Titan X.
PAPER_HOURS, PAPER_GPUS = 16.0, 4


@dataclass(frozen=True)
class StepTime:
    """A step's number of iterations, its images in one iteration, and the seconds that one takes on one device.

    `start` are the seconds that its process takes to start.
    """

    title: str
    iterations: int
    images: int
    seconds: float
    start: float = 0

    def hours(self, devices: int = 1) -> float:
        """Hours of the whole step, if the devices share each batch evenly and lose nothing by it."""
        return (self.start + self.iterations * self.seconds / devices) / 3600


def time_run(run: Run, images: tuple[int, int, int, int], labels: int) -> list[StepTime]:
    """Measures an iteration of each step of a run whose files are written; its data need not be there.

    `images` is the shape of a batch (N, C, H, W). Only one of the `iter_size` passes is measured, and counted
    `iter_size` times.
    """
    return [_time_stage(run.folder, stage, images, labels) for stage in run.stages]


@cache
def start_seconds() -> float:
    """Seconds that a process of `train` takes to load its libraries."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "caffe_compat", "train", "--help"]
    subprocess.run(command, env=with_this_package(os.environ), stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def _time_stage(folder: Path, stage: Stage, images: tuple[int, int, int, int], labels: int) -> StepTime:
    net = read_net(folder / stage.solver.net)
    _replace_data(net, images, labels)
    solver = caffe_pb2.SolverParameter()
    solver.CopyFrom(stage.solver)
    for field in ("net", "test_iter", "test_interval", "snapshot", "stepvalue"):
        solver.ClearField(field)
    solver.train_net_param.CopyFrom(net)
    solver.lr_policy, solver.iter_size, solver.display = "fixed", 1, 0
    trained = Solver(solver, engine="fast", on_nan="ignore")  # fixed parts without weights give infinite numbers
    trained.step(WARM_UP)
    _wait_for_device()
    started = time.perf_counter()
    trained.step(TIMED)
    _wait_for_device()
    passes = max(1, stage.solver.iter_size)
    seconds = (time.perf_counter() - started) / TIMED * passes
    trained.close()
    return StepTime(str(stage), stage.solver.max_iter, images[0] * passes, seconds, start_seconds())


def _replace_data(net: caffe_pb2.NetParameter, images: tuple[int, int, int, int], labels: int) -> None:
    """Puts constant blobs in place of the training data, and drops the data of the tests."""
    kept = [
        _constant(layer, images, labels) if layer.top and not layer.bottom else layer
        for layer in net.layer
        if not _is_for_tests(layer)
    ]
    copies = [caffe_pb2.LayerParameter.FromString(layer.SerializeToString()) for layer in kept]
    del net.layer[:]
    net.layer.extend(copies)


def _is_for_tests(layer: caffe_pb2.LayerParameter) -> bool:
    return any(rule.phase == caffe_pb2.TEST for rule in layer.include)


def _constant(
    layer: caffe_pb2.LayerParameter, images: tuple[int, int, int, int], labels: int
) -> caffe_pb2.LayerParameter:
    """A DummyData layer with the tops of a data layer: images are noise, labels are 1."""
    made = caffe_pb2.LayerParameter(name=layer.name, type="DummyData", top=layer.top)
    for top in layer.top:
        is_label = top == "label"
        made.dummy_data_param.shape.add(dim=(images[0], labels) if is_label else images)
        filler = {"type": "constant", "value": 1.0} if is_label else {"type": "gaussian", "std": 50.0}
        made.dummy_data_param.data_filler.add(**filler)
    return made


def _wait_for_device() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def estimate_lines(times: Sequence[StepTime], devices: int = 1) -> Iterator[str]:
    """What the steps of a run take on one device and on several, for a terminal."""
    for step in times:
        yield (
            f"{step.title}: {step.iterations:,} iterations of {step.images} images, {step.seconds:.3g} s each: "
            f"{in_words(step.hours(devices))}"
        )
    whole = sum(step.hours(devices) for step in times)
    many = f"{devices} devices that share each batch evenly" if devices > 1 else "one device"
    yield f"all steps: about {in_words(whole)} on {many}"


def against_paper(times: Sequence[StepTime], devices: int) -> str:
    """The estimate beside the paper's own number for MS-COCO."""
    whole = sum(step.hours(devices) for step in times)
    return (
        f"the paper reports about {PAPER_HOURS:.0f} hours for all steps of MS-COCO on {PAPER_GPUS} Titan X: this is "
        f"{whole / PAPER_HOURS:.2g} times as long. The paper states no number of epochs; ours is the generator's."
    )


def in_words(hours: float) -> str:
    """Hours for a reader, as hours or as minutes."""
    if hours >= 1:
        return f"{hours:,.1f} hours"
    return f"{60 * hours:.1f} minutes"
