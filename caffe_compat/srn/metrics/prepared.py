"""What a folder that `prepare` wrote says about its data: the labels' names and how often training saw each."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import DataError, FormatError
from caffe_compat.srn.datasets.json_file import member, read_json
from caffe_compat.srn.datasets.layout import class_names_file
from caffe_compat.srn.datasets.summary import NAME
from caffe_compat.srn.metrics.number_files import require_regular_file

#: What `prepare` writes for unknown labels where it keeps them.
UNKNOWN_IN_FILES = -1.0


@dataclass(frozen=True)
class PreparedFolder:
    """The facts of one prepared folder."""

    title: str  # the folder's name
    class_names: Sequence[str]
    training_counts: NDArray[np.int64] | None  # (classes,): images of the training split that have the label
    unknown: float | None = None  # what label files have for a label that is not known


def read_prepared(folder: Path) -> PreparedFolder:
    """The facts of a folder that `prepare` wrote; made scenes have no summary, only a file of class names.

    Raises DataError if there is neither, and FormatError if the summary is not what `prepare` writes.
    """
    path = folder / NAME
    names_file = class_names_file(folder)
    if not path.exists() and names_file.exists():
        return PreparedFolder(Path(os.path.realpath(folder)).name, read_class_names(names_file), None)
    content = read_json(path)
    splits = member(path, content, "splits")
    counts = {split: _label_counts(path, content) for split, content in _items(path, "splits", splits)}
    if not counts:
        raise FormatError(f"{path}: expected splits with label counts, found none; prepare the folder again")
    names = next(iter(counts.values()))
    training = counts.get("train")
    return PreparedFolder(
        title=Path(os.path.realpath(folder)).name,
        class_names=list(names),
        training_counts=None if training is None else np.array(list(training.values()), np.int64),
        unknown=UNKNOWN_IN_FILES if content.get("unknown labels") is True else None,
    )


def is_prepared(folder: Path) -> bool:
    """Whether a folder has what `read_prepared` reads."""
    return (folder / NAME).is_file() or class_names_file(folder).is_file()


def read_class_names(path: Path) -> list[str]:
    """The names of a file with one name per line, without blank lines; DataError if it cannot be read."""
    require_regular_file(path)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise DataError(f"{path}: cannot read the class names ({reason}); expected one name per line") from error
    return [name.strip() for name in lines if name.strip()]


def _label_counts(path: Path, split: Any) -> dict[str, int]:
    counts = dict(_items(path, "label counts", member(path, split, "label counts")))
    wrong = next((name for name, count in counts.items() if type(count) is not int or not 0 <= count < 2**63), None)
    if wrong is not None:
        raise FormatError(f"{path}: expected a whole number of images for label {ascii(wrong)[:60]}; "
                          "prepare the folder again")  # fmt: skip
    return counts


def _items(path: Path, name: str, content: Any) -> Any:
    if not isinstance(content, dict):
        raise FormatError(f"{path}: expected an object as '{name}', found {type(content).__name__}; "
                          "prepare the folder again")  # fmt: skip
    return content.items()
