"""A user's own images and labels, in the formats that people have."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.layout import check_class_names
from caffe_compat.srn.datasets.own_csv import read_csv
from caffe_compat.srn.datasets.own_folders import read_folders
from caffe_compat.srn.datasets.own_json_lines import read_json_lines
from caffe_compat.srn.datasets.own_lists import read_list
from caffe_compat.srn.datasets.own_rows import OwnFormat, OwnRow, text_lines
from caffe_compat.srn.datasets.samples import DatasetSource, LabelRow, Sample

FORMATS = {".csv": read_csv, ".tsv": read_csv, ".jsonl": read_json_lines, ".ndjson": read_json_lines}


@dataclass(frozen=True)
class OwnSplit:
    """What the user names for a split: annotations or a folder, and the label file if the annotations are a list."""

    annotations: Path
    labels: Path | None = None


def own_data(
    splits: Mapping[str, OwnSplit], root: Path | None = None, class_names: Sequence[str] | None = None
) -> DatasetSource:
    """The dataset; names count from `root`, or else from where the annotations lie.

    Without `class_names`, labels come in the order of columns, or by name; those of the first split count. Every row
    is read once for its labels before anything is written. Raises DataError for a label that is not among them.
    """
    if not splits:
        raise DataError("expected the annotations of at least one split, found none; name --train")
    formats = {split: _format(given, class_names) for split, given in splits.items()}
    first = next(iter(formats.values()))
    names = list(class_names or first.class_names or _names_in(first.rows()))
    check_class_names(str(next(iter(splits.values())).annotations), names)
    counts = {split: _check_rows(form.rows(), names) for split, form in formats.items()}
    sources = {split: partial(OwnSamples, form, counts[split], root, names) for split, form in formats.items()}
    return DatasetSource("own", names, sources)


def read_class_names(path: Path) -> list[str]:
    """One name a line. Raises DataError if a name comes twice or there is none."""
    names = [line.strip() for line in text_lines(path) if line.strip()]
    check_class_names(str(path), names)
    return names


def _format(given: OwnSplit, class_names: Sequence[str] | None) -> OwnFormat:
    if given.annotations.is_dir():
        return read_folders(given.annotations)
    if given.labels is not None:
        return read_list(given.annotations, given.labels, class_names)
    read = FORMATS.get(given.annotations.suffix.lower())
    if read is None:
        raise DataError(
            f"{given.annotations}: expected a folder, {', '.join(FORMATS)}, or an image list with its label file; "
            "name the label file too"
        )
    return read(given.annotations)


def _names_in(rows: Iterator[OwnRow]) -> list[str]:
    return sorted({name for row in rows for name in row.labels})


def _check_rows(rows: Iterator[OwnRow], names: Sequence[str]) -> int:
    """How many there are."""
    known, number = set(names), 0
    for number, row in enumerate(rows, start=1):  # noqa: B007  # the last number is the result
        if foreign := next((name for name in row.labels if name not in known), None):
            raise DataError(
                f"{row.owner}: expected one of {len(known)} labels, found '{foreign}'; "
                "give a file with all labels, one a line, as --classes"
            )
    return number


class OwnSamples:
    """The samples of a split, read again from its annotations at each iteration."""

    def __init__(self, form: OwnFormat, count: int, root: Path | None, class_names: Sequence[str]) -> None:
        self._form, self._count = form, count
        self._root = root or form.root
        self._columns = {name: column for column, name in enumerate(class_names)}

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Sample]:
        for row in self._form.rows():
            yield Sample(row.name, str(self._root / row.name), self._labels(row))

    def _labels(self, row: OwnRow) -> LabelRow:
        labels = np.zeros(len(self._columns), np.int8)
        for name, value in row.labels.items():
            labels[self._columns[name]] = value
        return labels
