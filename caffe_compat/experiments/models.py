"""The generator's nets and solvers for an arm of an experiment, with the arm's epochs and rates."""

import dataclasses
import math
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from caffe_compat.experiments.arms import RATE_DROPS, Arm, Setting
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.write import write_text
from prototxt_gen.files import messages
from prototxt_gen.options import Options, command

#: Lines of a step's loss in its log.
DISPLAYS = 32


def write_models(folder: Path, arm: Arm, setting: Setting, seed: int) -> None:
    """Write an arm's files into FOLDER/models; data lie beside FOLDER, and paths count from FOLDER."""
    (folder / "models").mkdir(parents=True, exist_ok=True)
    common = _options(arm, setting, seed)
    for number, step in enumerate(arm.steps, start=1):
        iterations = step.epochs * math.ceil(setting.images["train"] / setting.batch_size)
        options = dataclasses.replace(common, step=str(number), base_lr=step.rate, max_iter=iterations)
        for name, message in messages(options, "models").items():
            _adjust(message, iterations, setting)
            write_text(folder / "models" / name, message, header=command(options, "models"))


def deploy_net(folder: Path, arm: Arm) -> Path:
    """The file of the net that predicts with the whole model."""
    return folder / "models" / f"custom_{arm.model}_test.prototxt"


def _options(arm: Arm, setting: Setting, seed: int) -> Options:
    chosen: dict[str, Any] = {
        "model": arm.model,
        "labels": setting.labels,
        "input_size": setting.input_size,
        "data": "../data",
        "test_split": "val",
        "augmentation": "none",
        "mirror": False,  # a mirrored digit is no digit, and left is not right
        "batch_size": setting.batch_size,
        "iter_size": 1,
        "train_images": setting.images["train"],
        "test_images": setting.images["val"],
        "solver_mode": "CPU",
        "random_seed": seed,
    }
    return Options(**chosen | dict(setting.options) | dict(arm.options))


def _adjust(message: Message, iterations: int, setting: Setting) -> None:
    """Set what the generator has no option for."""
    if isinstance(message, caffe_pb2.SolverParameter):
        _schedule(message, iterations, setting.validations)
        if setting.clip_gradients:
            message.clip_gradients = setting.clip_gradients
    elif isinstance(message, caffe_pb2.NetParameter):
        _shuffle(message)


def _schedule(solver: caffe_pb2.SolverParameter, iterations: int, tests: int) -> None:
    """When the rate falls, how often to log and test; no snapshots on the way."""
    solver.stepvalue[:] = [int(part * iterations) for part in RATE_DROPS]
    solver.display = max(1, iterations // DISPLAYS)
    solver.average_loss = solver.display
    solver.test_interval = max(1, iterations // tests)
    solver.snapshot = 0


def _shuffle(net: caffe_pb2.NetParameter) -> None:
    """Train on another order in every epoch: a field of the SRN fork, which BVLC Caffe lacks.

    In one fixed order a few dozen batches come again and again, and small training sets are learned by heart.
    """
    for layer in net.layer:
        if layer.type == "Data" and any(rule.phase == caffe_pb2.TRAIN for rule in layer.include):
            layer.data_param.shuffle = True
