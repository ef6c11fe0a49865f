"""One or several files of predictions, measured and compared, as one report."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import DataError, ShapeError, some_of
from caffe_compat.srn.datasets.layout import SplitFiles
from caffe_compat.srn.metrics.accessible_images import read_accessible_images
from caffe_compat.srn.metrics.comparison import Gains, co_occurring_labels, compare
from caffe_compat.srn.metrics.datasets import DATASETS, Conventions, EvaluationRules
from caffe_compat.srn.metrics.measurement import Measurement, measure
from caffe_compat.srn.metrics.prepared import PreparedFolder, is_prepared, read_class_names, read_prepared
from caffe_compat.srn.metrics.text_matrices import UNKNOWN, read_labels, read_scores

EVALUATED = Conventions(scores="auto")


@dataclass(frozen=True)
class Request:
    """What an evaluation is asked for; `labels` or `data`, a folder that `prepare` wrote, says where the labels are."""

    dataset: str  # a key of DATASETS
    labels: Path | None
    predictions: Sequence[Path]
    names: Sequence[str] = ()
    class_names: Path | None = None
    accessible: Path | None = None
    rounds: int = 0
    seed: int = 0
    data: Path | None = None
    split: str = "test"
    title: str | None = None
    ignore: float | None = None  # the value of a label that is not known
    conventions: Conventions = EVALUATED

    @property
    def label_file(self) -> Path:
        """The file of labels; DataError if neither it nor a prepared folder is given."""
        if self.labels is not None:
            return self.labels
        if self.data is None:
            raise DataError("expected --labels FILE or --data DIR, a folder that prepare wrote; found neither")
        return Path(SplitFiles(self.data, self.split).labels)

    @property
    def prepared_folder(self) -> Path | None:
        """The prepared folder: the given one, or that of the labels if it looks prepared; None without one."""
        beside = self.label_file.parent
        return self.data or (beside if is_prepared(beside) else None)


@dataclass(frozen=True)
class Report:
    """All results; arrays have one element per class."""

    dataset: str
    rules: EvaluationRules
    conventions: Conventions
    images: int
    class_names: Sequence[str]
    positives: NDArray[np.int64]
    co_occurring: NDArray[np.float64]  # mean number of other labels in the images that have the class
    training_counts: NDArray[np.int64] | None  # training images that have the label; None where nothing says it
    measurements: Sequence[Measurement]
    comparisons: Sequence[Gains]  # each further file against the first
    warnings: Sequence[str]
    notes: Sequence[str]  # how the input was understood


def evaluate(request: Request) -> Report:
    """Read the files, measure and compare; DataError, FormatError or ShapeError names the file at fault."""
    label_file = request.label_file
    found = read_prepared(request.prepared_folder) if request.prepared_folder else None
    ignore = _ignored(request, found)
    labels = read_labels(label_file, ignore)
    images = _accessible_images(request, len(labels))
    prepared = _of_classes(request, found, labels.shape[1])
    rules = _rules(request, prepared)
    measurements = [
        measure(
            name,
            labels[images],
            _read_predictions(path, label_file, labels.shape)[images],
            rules,
            request.conventions,
            rounds=request.rounds,
            seed=request.seed,
        )
        for name, path in zip(_names(request), request.predictions, strict=True)
    ]
    present = labels[images] == 1
    positives = np.count_nonzero(present, axis=0)
    co_occurring = co_occurring_labels(present)
    class_names = _class_names(request, prepared, labels.shape[1])
    return Report(
        dataset=request.dataset,
        rules=rules,
        conventions=request.conventions,
        images=len(present),
        class_names=class_names,
        positives=positives,
        co_occurring=co_occurring,
        training_counts=prepared.training_counts if prepared else None,
        measurements=measurements,
        comparisons=[compare(measurements[0], other, co_occurring) for other in measurements[1:]],
        warnings=list(_warnings(class_names, positives)),
        notes=list(_notes(request, measurements, labels, ignore)),
    )


def _ignored(request: Request, prepared: PreparedFolder | None) -> float | None:
    """The label value that means unknown: as asked for, or for own data as their preparation wrote it."""
    if request.ignore is not None or prepared is None or request.dataset != "own":
        return request.ignore
    return prepared.unknown


def _of_classes(request: Request, prepared: PreparedFolder | None, classes: int) -> PreparedFolder | None:
    """The prepared folder's facts; None without a folder, or where one beside the labels has other classes."""
    if prepared is None or len(prepared.class_names) == classes:
        return prepared
    if request.data is None:
        return None
    raise DataError(
        f"{request.data}: expected {classes} labels, as {request.label_file} has columns, found "
        f"{len(prepared.class_names)} names of labels there; give the folder that the labels come from"
    )


def _rules(request: Request, prepared: PreparedFolder | None) -> EvaluationRules:
    """The data set's rules; own data are called as the user says, or as the folder of the labels."""
    rules = DATASETS[request.dataset]
    folder = prepared.title if prepared else Path(os.path.realpath(request.label_file)).parent.name
    own = (folder or rules.title) if request.dataset == "own" else rules.title
    return replace(rules, title=request.title or own)


def _read_predictions(path: Path, labels: Path, shape: tuple[int, ...]) -> NDArray[np.float64]:
    scores = read_scores(path)
    if scores.shape != shape:
        raise ShapeError(
            f"{path}: expected {_lines(shape[0])} of {shape[1]} scores, as {labels} has labels, found "
            f"{_lines(scores.shape[0])} of {scores.shape[1]}; labels and predictions must come from one image list"
        )
    return scores


def _lines(number: int) -> str:
    return f"{number} line" if number == 1 else f"{number} lines"


def _accessible_images(request: Request, images: int) -> NDArray[np.intp]:
    return read_accessible_images(request.accessible, images) if request.accessible else np.arange(images)


def _names(request: Request) -> Sequence[str]:
    """The names given, or the files' names without suffix where those tell the files apart."""
    stems = [path.stem for path in request.predictions]
    names = request.names or (stems if _all_differ(stems) else [str(path) for path in request.predictions])
    if len(names) != len(request.predictions) or not _all_differ(names):
        raise DataError(
            f"--names: expected {len(request.predictions)} names that all differ, one for each --predictions file, "
            f"found {', '.join(names)}; name every file once"
        )
    return names


def _all_differ(names: Sequence[str]) -> bool:
    return len(set(names)) == len(names)


def _class_names(request: Request, prepared: PreparedFolder | None, classes: int) -> Sequence[str]:
    if request.class_names is None:
        return prepared.class_names if prepared else [f"class {number}" for number in range(1, classes + 1)]
    names = read_class_names(request.class_names)
    if len(names) != classes:
        raise DataError(
            f"{request.class_names}: expected {classes} class names, one per line, as {request.label_file} has "
            f"columns, found {len(names)}"
        )
    return names


def _warnings(class_names: Sequence[str], positives: NDArray[np.int64]) -> Iterator[str]:
    empty = [name for name, count in zip(class_names, positives, strict=True) if not count]
    if empty:
        yield (
            f"no image has {some_of(empty)}: AP is undefined there (null), and mAP is over the other "
            f"{len(class_names) - len(empty)} classes; the released code would give NaN"
        )


def _notes(
    request: Request, measurements: Sequence[Measurement], labels: NDArray[np.int8], ignore: float | None
) -> Iterator[str]:
    noticed = [measurement.name for measurement in measurements if measurement.of_probabilities]
    if noticed and request.conventions.scores == "auto":
        yield (
            f"all scores of {', '.join(noticed)} lie within 0..1, so they are read as probabilities; "
            "--scores logits reads them as raw scores"
        )
    if ignore is not None:
        unknown = np.count_nonzero(labels == UNKNOWN)
        yield f"{unknown:,} labels of value {ignore:g} are unknown and left out of all figures"
