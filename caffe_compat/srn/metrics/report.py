"""One or several files of predictions, measured and compared, as one report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.metrics.accessible_images import read_accessible_images
from caffe_compat.srn.metrics.comparison import Comparison, co_occurring_labels, compare
from caffe_compat.srn.metrics.datasets import DATASETS, EvaluationRules
from caffe_compat.srn.metrics.measurement import Measurement, measure
from caffe_compat.srn.metrics.text_matrices import read_labels, read_scores


@dataclass(frozen=True)
class Request:
    """What tools/evaluate.py is asked for."""

    dataset: str
    labels: Path
    predictions: Sequence[Path]
    names: Sequence[str] = ()
    class_names: Path | None = None
    accessible: Path | None = None
    rounds: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Report:
    """All results; arrays have one element a class."""

    dataset: str
    rules: EvaluationRules
    images: int
    class_names: Sequence[str]
    positives: NDArray[np.int64]
    co_occurring: NDArray[np.float64]  # mean number of other labels in the images that have the class
    measurements: Sequence[Measurement]
    comparisons: Sequence[Comparison]  # each further file against the first
    warnings: Sequence[str]


def evaluate(request: Request) -> Report:
    """Read the files, measure and compare; DataError, FormatError or ShapeError names the file at fault."""
    labels = read_labels(request.labels)
    images = _accessible_images(request, len(labels))
    class_names = _class_names(request, labels.shape[1])
    rules = DATASETS[request.dataset]
    measurements = [
        measure(
            name,
            labels[images],
            _read_predictions(path, request.labels, labels.shape)[images],
            rules,
            rounds=request.rounds,
            seed=request.seed,
        )
        for name, path in zip(_names(request), request.predictions, strict=True)
    ]
    present = labels[images] == 1
    positives = np.count_nonzero(present, axis=0)
    co_occurring = co_occurring_labels(present)
    return Report(
        dataset=request.dataset,
        rules=rules,
        images=len(present),
        class_names=class_names,
        positives=positives,
        co_occurring=co_occurring,
        measurements=measurements,
        comparisons=[compare(measurements[0], other, co_occurring) for other in measurements[1:]],
        warnings=_warnings(class_names, positives),
    )


def _read_predictions(path: Path, labels: Path, shape: tuple[int, ...]) -> NDArray[np.float64]:
    scores = read_scores(path)
    if scores.shape != shape:
        raise ShapeError(
            f"{path}: expected {shape[0]} lines of {shape[1]} scores, as {labels} has labels, found {scores.shape[0]} "
            f"lines of {scores.shape[1]}; labels and predictions must come from one image list"
        )
    return scores


def _accessible_images(request: Request, images: int) -> NDArray[np.intp]:
    return read_accessible_images(request.accessible, images) if request.accessible else np.arange(images)


def _names(request: Request) -> Sequence[str]:
    """The names given, or the files' names without suffix where those tell the files apart."""
    stems = [path.stem for path in request.predictions]
    names = request.names or (stems if _all_differ(stems) else [str(path) for path in request.predictions])
    if len(names) != len(request.predictions) or not _all_differ(names):
        raise DataError(
            f"--names: expected {len(request.predictions)} names that all differ, one a --predictions file, "
            f"found {', '.join(names)}; name every file once"
        )
    return names


def _all_differ(names: Sequence[str]) -> bool:
    return len(set(names)) == len(names)


def _class_names(request: Request, classes: int) -> list[str]:
    if request.class_names is None:
        return [f"class {number}" for number in range(1, classes + 1)]
    names = request.class_names.read_text(encoding="utf-8").split("\n")
    names = [name.strip() for name in names if name.strip()]
    if len(names) != classes:
        raise DataError(
            f"{request.class_names}: expected {classes} class names, one a line, as {request.labels} has columns, "
            f"found {len(names)}"
        )
    return names


def _warnings(class_names: Sequence[str], positives: NDArray[np.int64]) -> list[str]:
    empty = [name for name, count in zip(class_names, positives, strict=True) if not count]
    if not empty:
        return []
    return [
        f"no image has {', '.join(empty)}: AP is undefined there (null), and mAP is over the other "
        f"{len(class_names) - len(empty)} classes; the released code would give NaN"
    ]
