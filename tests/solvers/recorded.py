"""Solver runs recorded from two real Caffes, ready to be run again."""

import shutil
from pathlib import Path

GOLDENS = Path(__file__).resolve().parents[1] / "goldens"
CASES = sorted(GOLDENS.glob("*/solvers/*"))


def prepared(case: Path, folder: Path) -> Path:
    """A copy of a case in which it can run."""
    shutil.copytree(case, folder, dirs_exist_ok=True)
    if not (folder / "train.h5").exists():  # the fork's cases read what BVLC's of that name do
        shutil.copy(GOLDENS / "bvlc" / "solvers" / case.name / "train.h5", folder)
    return folder
