"""How often labels occur, alone and together, counted from a label file without holding it."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_LINES = 8192  # at once


@dataclass(frozen=True)
class LabelStatistics:
    """`together` (C, C) counts images that have both labels; its diagonal counts those that have one."""

    images: int
    together: NDArray[np.int64]

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many images have each label, (C,)."""
        return self.together.diagonal()

    @property
    def labels_per_image(self) -> float:
        """The mean."""
        return float(self.counts.sum() / self.images)

    @property
    def conditional(self) -> NDArray[np.float64]:
        """How often the column's label is there where the row's is, (C, C); 0 for a label that no image has."""
        return self.together / np.maximum(self.counts, 1)[:, None]


def count_labels(path: Path, labels: int) -> LabelStatistics:
    """Count a label file as this package writes them: 1, 0 or -1 with one blank between."""
    images, together = 0, np.zeros((labels, labels), np.int64)
    with path.open("rb") as lines:
        while block := list(islice(lines, _LINES)):
            present = _present(b"".join(block), labels)
            together += (present.T @ present).astype(np.int64)
            images += len(present)
    return LabelStatistics(images, together)


def _present(text: bytes, labels: int) -> NDArray[np.float32]:
    """(lines, C): with -1 as one character, all lines are equally long and need no parser."""
    cells = np.frombuffer(text.replace(b"-1", b"-"), np.uint8).reshape(-1, 2 * labels)
    return np.asarray(cells[:, ::2] == ord("1"), np.float32)  # float32 counts exactly to 16 million
