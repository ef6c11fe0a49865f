"""A row of a table: a model that is trained, and how its scores are read."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffe_compat.experiments.arms import Arm, ArmStep, same_budget
from caffe_compat.experiments.compared.method import Budget, Method
from caffe_compat.experiments.runs import Run, predict
from prototxt_gen.recipes import MODELS

Scores = NDArray[np.float64]

#: Outputs of the SRN models; the first one is the prediction.
SRN_OUTPUTS = ("y", "y_cls", "y_att", "y_sr")


def fixed(arm: Arm) -> Callable[[Path], Arm]:
    """An arm that is the same for all data."""
    return lambda data: arm


@dataclass(frozen=True)
class PaperRow:
    """A row: its title, the arm to train for a folder of data, and where its scores come from.

    `key` names its folder. Rows of equal nets, solvers, data and seed may share a key with another table, and are then
    trained once. `scores` replaces the arm's first output. `complete_data` adds what the row alone reads to the data.
    Without `thresholded`, a score above 0 does not mean that a label is present, so only mAP and the figures of the top
    3 labels are shown. `staged` says that the row trains in SRN's four steps, most of which leave the backbone alone.
    """

    key: str
    title: str
    arm: Callable[[Path], Arm]
    scores: Callable[[Run, str], Scores] | None = None
    thresholded: bool = True
    complete_data: Callable[[Path], None] = lambda data: None
    staged: bool = False

    def predict(self, run: Run, split: str) -> Scores:
        """Raw scores (images, labels) of a trained run."""
        return self.scores(run, split) if self.scores else predict(run, run.arm.outputs[0], split)

    def scaled(self, factor: float) -> "PaperRow":
        """The row with all its learning rates times `factor`, under a key of its own unless the factor is 1."""
        if factor == 1:
            return self
        return replace(self, key=f"{self.key}_rate_{factor:g}", arm=lambda data: _scaled(self.arm(data), factor))


def _scaled(arm: Arm, factor: float) -> Arm:
    return replace(arm, steps=tuple(ArmStep(step.epochs, step.rate * factor) for step in arm.steps))


def own_row(key: str, arm: Arm) -> PaperRow:
    """A row of one of our models, the same for all data."""
    return PaperRow(key, arm.title, fixed(arm), staged=len(arm.steps) == len(MODELS["resnet101_srn"].steps))


def compared_row(key: str, method: Method, budget: Budget) -> PaperRow:
    """A row of a compared method."""
    return PaperRow(
        key,
        method.name,
        lambda data: method.arm(budget, data),
        method.scores,
        method.thresholded,
        method.complete_data,
    )


def paper_rows(suffix: str, srn: tuple[ArmStep, ...], rate: float) -> list[PaperRow]:
    """The five models of section 4.1, in the order of the tables; all train for as many epochs as SRN's steps together.

    `srn` are SRN's four steps, and `rate` is the first rate of models that train in one go. ResNet-101-semantic takes
    two thirds of its epochs for its first step.
    """
    (whole,) = same_budget(srn, rate)
    first = round(whole.epochs * 2 / 3)
    semantic = (ArmStep(first, rate), ArmStep(whole.epochs - first, rate / 2))
    return [
        own_row(f"baseline_{suffix}", Arm("ResNet-101", "resnet101", (whole,), ("y_cls",))),
        own_row(f"deeper_{suffix}", Arm("ResNet-107", "resnet107", (whole,), ("y_cls",))),
        own_row(f"semantic_{suffix}", Arm("ResNet-101-semantic", "resnet101_semantic", semantic, ("y", "y_cls"))),
        own_row(f"srn_att_{suffix}", Arm("ResNet-SRN-att", "resnet101_srn_att", srn, SRN_OUTPUTS)),
        own_row(f"srn_{suffix}", Arm("ResNet-SRN", "resnet101_srn", srn, SRN_OUTPUTS)),
    ]
