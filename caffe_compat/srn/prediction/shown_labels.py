"""Which labels of an image are drawn, and which of them are true."""

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import DataError, did_you_mean
from caffe_compat.srn.datasets.layout import SPLITS, SplitFiles, read_image_list
from caffe_compat.srn.metrics.text_matrices import read_labels


def find_labels(given: Sequence[str], names: Sequence[str], flag: str) -> list[int]:
    """The positions of labels that are given by name or by number from 0; DataError names the flag."""
    return [_find_label(text, names, flag) for text in given]


def _find_label(text: str, names: Sequence[str], flag: str) -> int:
    if text in names:
        return names.index(text)
    if text.isdecimal() and len(text) < 10 and int(text) < len(names):
        return int(text)
    raise DataError(
        f"{flag}: expected names of labels or numbers from 0 to {len(names) - 1}, found {ascii(text)[:60]}; "
        f"{did_you_mean(text, names)[:200]}"
    )


def choose_labels(scores: NDArray[np.float32], true: Collection[int], count: int) -> list[int]:
    """True labels first, then those with the highest scores: `count` in all, each group by falling score."""
    order = np.argsort(-scores, kind="stable").tolist()
    return sorted(order, key=lambda label: label not in true)[:count]


class TrueLabels:
    """The labels of the images that a prepared folder lists."""

    def __init__(self, folder: Path) -> None:
        """Reads the image lists and labels of all splits; DataError if there are none or they do not fit."""
        self._of_image: dict[str, frozenset[int]] = {}
        splits = [SplitFiles(folder, split) for split in SPLITS]
        splits = [files for files in splits if files.image_list.exists()]
        if not splits:
            raise DataError(f"{folder}: expected image lists such as test_imglist.txt, found none; "
                            "give a folder that prepare wrote")  # fmt: skip
        for files in splits:
            images, labels = read_image_list(files.image_list), read_labels(files.labels)
            if len(images) != len(labels):
                raise DataError(f"{files.labels}: expected {len(images)} lines, as {files.image_list} lists images, "
                                f"found {len(labels)}; prepare the folder again")  # fmt: skip
            for image, row in zip(images, labels, strict=True):
                self._of_image[Path(image.name).as_posix()] = frozenset(np.flatnonzero(row == 1).tolist())

    def of(self, image: str) -> frozenset[int]:
        """The labels of an image file, found by the end of its path; nothing for an image that is not listed."""
        parts = Path(image).absolute().parts
        ends = ("/".join(parts[first:]) for first in range(1, len(parts)))
        return next((self._of_image[end] for end in ends if end in self._of_image), frozenset())
