"""A compared method: a row of the paper's tables that trains from generated files and scores the test images."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffe_compat.experiments.arms import Arm, Setting
from caffe_compat.experiments.models import write_models
from caffe_compat.experiments.runs import Run, Say, predict, train

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Budget:
    """What a method may spend: the setting that all rows share, the epochs of all steps together, and the first rate.

    A row that is trained in several steps divides the epochs among them.
    """

    setting: Setting
    epochs: int
    rate: float


@dataclass(frozen=True)
class Method:
    """A row: names, where the method was published, its nets, and how it scores images.

    `tables` are the paper's tables that list the method. `ours` says what the method's paper leaves open or what
    differs here. `thresholded` says whether a score above 0 means that the label is present; without it only rankings
    and the top 3 have a meaning. `arm` gives the generator's model and its steps for a budget and a folder of data;
    `scores` the scores of a trained run for a split. `complete_data` adds what the method reads besides images and
    labels to a folder of data, where it is missing.
    """

    name: str
    citation: str
    tables: tuple[int, ...]
    ours: str
    arm: Callable[[Budget, Path], Arm]
    scores: Callable[[Run, str], Scores] | None = None
    complete_data: Callable[[Path], None] = lambda data: None
    thresholded: bool = True

    def prepare(self, folder: Path, seed: int, budget: Budget) -> Run:
        """Writes nets and solvers to FOLDER/models and returns the run; the data must lie in FOLDER/../data.

        Adds to the data what the method alone reads.
        """
        dataset = folder.resolve().parent
        run = Run(folder.name, self.arm(budget, dataset / "data"), dataset, seed)
        self.complete_data(dataset / "data")
        write_models(run.folder, run.arm, budget.setting, seed)
        return run

    def train(self, folder: Path, seed: int, budget: Budget, say: Say = lambda line: None) -> Run:
        """Writes the files as `prepare` does and trains all steps; an interrupted training goes on where it was."""
        run = self.prepare(folder, seed, budget)
        train([run], say)
        return run

    def predict(self, run: Run, split: str = "test") -> Scores:
        """Raw scores (images, labels) of a trained run; larger means more certain."""
        return self.scores(run, split) if self.scores else predict(run, run.arm.outputs[0], split)
