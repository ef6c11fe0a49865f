"""The generator's nets and solvers for an arm of an experiment, with the arm's epochs and rates."""

import dataclasses
import math
from pathlib import Path
from typing import Any

from caffe_compat.experiments.arms import RATE_DROPS, Arm, Setting
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.write import write_text
from prototxt_gen.files import GeneratedFiles, GeneratedMessage, messages
from prototxt_gen.options import GeneratorOptions, command
from prototxt_gen.recipes import MODELS

#: Lines of a step's loss in its log.
DISPLAYS = 32


def write_models(folder: Path, arm: Arm, setting: Setting, seed: int) -> None:
    """Write an arm's files into FOLDER/models; data lie beside FOLDER, and paths count from FOLDER."""
    (folder / "models").mkdir(parents=True, exist_ok=True)
    common = _options(arm, setting, seed)
    batch = setting.batch_size * common.iter_size
    for number, step in enumerate(arm.steps, start=1):
        iterations = step.epochs * math.ceil(setting.images["train"] / batch)
        model_step = len(MODELS[arm.model].steps) if arm.end_to_end else number
        options = dataclasses.replace(common, step=str(model_step), base_lr=step.rate, max_iter=iterations)
        for name, message in _numbered(messages(options, "models"), model_step, number).items():
            _adjust(message, iterations, setting)
            write_text(folder / "models" / name, message, header=command(options, "models"))


def _numbered(made: GeneratedFiles, step: int, number: int) -> GeneratedFiles:
    """The files of a model's step as those of step `number` of a training."""
    old, new = f"step_{step}_", f"step_{number}_"
    for message in made.values():
        if isinstance(message, caffe_pb2.SolverParameter):
            message.net = message.net.replace(old, new)
            message.snapshot_prefix = message.snapshot_prefix.replace(old, new)
    return {name.replace(old, new): message for name, message in made.items()}


def deploy_net(folder: Path, arm: Arm) -> Path:
    """The file of the net that predicts with the whole model."""
    return folder / "models" / f"custom_{arm.model}_test.prototxt"


def _options(arm: Arm, setting: Setting, seed: int) -> GeneratorOptions:
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
    return GeneratorOptions(**chosen | dict(setting.options) | dict(arm.options))


def _adjust(message: GeneratedMessage, iterations: int, setting: Setting) -> None:
    """Set what the generator has no option for."""
    if isinstance(message, caffe_pb2.SolverParameter):
        _schedule(message, iterations, setting)
        if setting.clip_gradients:
            message.clip_gradients = setting.clip_gradients
    else:
        _shuffle(message)


def _schedule(solver: caffe_pb2.SolverParameter, iterations: int, setting: Setting) -> None:
    """When the rate falls, and how often to log, test and snapshot.

    A plateau policy decides by tests of its own, so they stay as they are: one for each epoch.
    """
    if solver.lr_policy != "plateau":
        solver.stepvalue[:] = [int(part * iterations) for part in RATE_DROPS]
        solver.test_interval = max(1, iterations // setting.validations)
    solver.display = max(1, iterations // DISPLAYS)
    solver.average_loss = solver.display
    solver.snapshot = max(1, iterations // setting.snapshots) if setting.snapshots else 0


def _shuffle(net: caffe_pb2.NetParameter) -> None:
    """Train on another order in every epoch: a field of the SRN fork, which BVLC Caffe lacks.

    In one fixed order a few dozen batches come again and again, and small training sets are learned by heart.
    """
    for layer in net.layer:
        if layer.type == "Data" and any(rule.phase == caffe_pb2.TRAIN for rule in layer.include):
            layer.data_param.shuffle = True
