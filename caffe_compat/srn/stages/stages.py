"""The paper's training steps (section 3.4): the solver files of a folder, and where each step starts."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from caffe_compat.errors import SolverError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.read import read_solver
from caffe_compat.solvers.prefix import numbered_snapshots
from caffe_compat.solvers.run_training import AUTO
from caffe_compat.solvers.snapshot import SnapshotFiles

#: How the generator and the released code name solver files.
SOLVER_NAME = re.compile(r"step_(?P<number>\d+)_(?P<name>.+)_solver\.prototxt")


@dataclass(frozen=True)
class Stage:
    """A training step: its number from 1, the name of its model, and its solver."""

    number: int
    name: str
    solver_file: Path
    solver: caffe_pb2.SolverParameter

    def __str__(self) -> str:
        return f"step {self.number} ({self.name})"

    @property
    def final_weights(self) -> str:
        """The .caffemodel that the step's solver writes when it is done."""
        return SnapshotFiles.of(self.solver, self.solver.max_iter).weights

    @property
    def log_file(self) -> str:
        """The file for the step's log in Caffe's form."""
        return f"{self.solver.snapshot_prefix}.log"

    @property
    def watch_folder(self) -> str:
        """The folder of the step's report.html and metrics."""
        return f"{self.solver.snapshot_prefix}_watch"

    @property
    def is_done(self) -> bool:
        """Whether the weights of the step's last iteration are there."""
        return Path(self.final_weights).exists()

    @property
    def has_snapshot(self) -> bool:
        """Whether the step was interrupted after a snapshot."""
        return bool(numbered_snapshots(self.solver.snapshot_prefix))


def find_stages(models: Path) -> list[Stage]:
    """The steps of a folder of generated files, in order; SolverError if there are none or two of one number."""
    stages = [
        Stage(int(match["number"]), match["name"], path, read_solver(str(path)))
        for path in sorted(models.glob("*_solver.prototxt"))
        if (match := SOLVER_NAME.fullmatch(path.name))
    ]
    stages.sort(key=lambda stage: stage.number)
    numbers = [stage.number for stage in stages]
    if not stages or numbers != list(range(1, len(stages) + 1)):
        raise SolverError(
            f"{models}: expected solvers step_1_*_solver.prototxt, step_2_* and so on, one per step, found steps: "
            f"{', '.join(map(str, numbers)) or 'none'}; generate the files with python -m prototxt_gen --out {models}"
        )
    return stages


def choose_stages(stages: Sequence[Stage], which: str) -> Sequence[Stage]:
    """The steps that `which` names: `all`, a number, or a range such as `2-4`; SolverError for any other text."""
    if which == "all":
        return stages
    first, _, last = which.partition("-")
    wanted = [first, last or first]
    if not all(number.isdigit() and 1 <= int(number) <= len(stages) for number in wanted):
        raise SolverError(
            f"--step {which}: expected all, a number from 1 to {len(stages)}, or two of them as 1-{len(stages)}"
        )
    return stages[int(first) - 1 : int(wanted[1])]


def starting_point(stage: Stage, stages: Sequence[Stage]) -> dict[str, str]:
    """What `train` is given besides the solver: {"snapshot": "auto"}, {"weights": file}, or nothing.

    An interrupted step goes on from the newest snapshot that is whole, which `train` looks for. Step 1 starts from
    nothing, a later step from the weights of the step before. Raises SolverError if these are missing.
    """
    if stage.has_snapshot:
        return {"snapshot": AUTO}
    if stage.number == 1:
        return {}
    previous = stages[stage.number - 2]
    if not previous.is_done:
        raise SolverError(
            f"{stage}: expected the weights of {previous} in '{previous.final_weights}', found no such file; "
            f"train --step {previous.number} first, from the folder in which the files were generated"
        )
    return {"weights": previous.final_weights}
