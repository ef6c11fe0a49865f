"""Reads the records of two real Caffes in tests/goldens (docs/parity.md says which builds)."""

from pathlib import Path
from typing import Any

import numpy as np

GOLDENS = Path(__file__).resolve().parents[1] / "goldens"
DIALECTS = ("bvlc", "srn_fork")

Array = np.ndarray[Any, np.dtype[Any]]


def folders(part: str, depth: str) -> list[Path]:
    """The cases of one part, of both Caffes."""
    return [folder for dialect in DIALECTS for folder in sorted((GOLDENS / dialect / part).glob(depth))]


def case_name(folder: Path) -> str:
    return "-".join(folder.relative_to(GOLDENS).parts)


def relative_error(got: Array, want: Array) -> float:
    """The largest error over the largest value (at least 1e-2); infinite for other sizes or values not finite."""
    mine, theirs = (np.asarray(array, np.float64).ravel() for array in (got, want))
    if mine.size != theirs.size:
        return float("inf")
    if not mine.size:
        return 0.0
    error = np.abs(mine - theirs).max() / max(1e-2, np.abs(theirs).max())
    return float(error) if np.isfinite(error) else float("inf")


def parts_of(key: str) -> tuple[str, int]:
    """`param/conv1/0` as ("conv1", 0)."""
    layer, index = key.split("/", 1)[1].rsplit("/", 1)
    return layer, int(index)
