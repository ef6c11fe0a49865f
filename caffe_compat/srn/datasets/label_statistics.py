"""How often labels occur, alone and together, counted from a label file that is read in blocks."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_LINES = 8192  # in a block


@dataclass(frozen=True)
class LabelStatistics:
    """Counts of a label file.

    `together` (C, C) counts images that have both labels; its diagonal counts those that have one label. `unknown`
    (C,) counts images of which a label is unknown. `unlabelled` is how many images have no label.
    """

    images: int
    together: NDArray[np.int64]
    unknown: NDArray[np.int64]
    unlabelled: int = 0

    @property
    def counts(self) -> NDArray[np.int64]:
        """How many images have each label, (C,)."""
        return self.together.diagonal()

    @property
    def labels_per_image(self) -> float:
        """The mean number of present labels."""
        return float(self.counts.sum() / self.images)

    @property
    def conditional(self) -> NDArray[np.float64]:
        """The share of images with the row's label that have the column's too, (C, C); 0 for a label of no image."""
        return self.together / np.maximum(self.counts, 1)[:, None]


def count_labels(path: Path, labels: int, unknown_code: int | None = None) -> LabelStatistics:
    """Count a label file of this package: 1, 0 or -1, separated by one blank.

    `unknown_code` is the number that stands for an unknown label, if any does.
    """
    images, unlabelled, together = 0, 0, np.zeros((labels, labels), np.int64)
    unknown = np.zeros(labels, np.int64)
    with path.open("rb") as lines:
        while block := list(islice(lines, _LINES)):
            cells = _cells(b"".join(block), labels)
            present = np.asarray(cells == ord("1"), np.float32)  # float32 counts exactly to 16 million
            if unknown_code is not None:
                unknown += (cells == ord(str(unknown_code)[0])).sum(axis=0)
            together += (present.T @ present).astype(np.int64)
            images += len(present)
            unlabelled += int((present.max(axis=1) == 0).sum())
    return LabelStatistics(images, together, unknown, unlabelled)


def _cells(text: bytes, labels: int) -> NDArray[np.uint8]:
    """First characters of the numbers, (lines, C). With -1 as one character, all lines have one length."""
    return np.frombuffer(text.replace(b"-1", b"-"), np.uint8).reshape(-1, 2 * labels)[:, ::2]
