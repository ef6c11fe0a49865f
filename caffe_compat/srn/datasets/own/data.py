"""A user's own images and labels, in the formats that people have; JSON lines are read here."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.image_header import has_image_suffix
from caffe_compat.srn.datasets.layout import SPLITS, check_class_names
from caffe_compat.srn.datasets.own.cells import CellValues, decide_meaning
from caffe_compat.srn.datasets.own.folders import read_folders
from caffe_compat.srn.datasets.own.json_annotations import read_json_annotations
from caffe_compat.srn.datasets.own.json_entries import Entry, entry_of, format_of
from caffe_compat.srn.datasets.own.list_with_labels import read_list
from caffe_compat.srn.datasets.own.reading import Reading, add_reading_arguments, reading_of
from caffe_compat.srn.datasets.own.repeats import repeat_notes
from caffe_compat.srn.datasets.own.rows import OwnFormat, OwnRow, text_lines
from caffe_compat.srn.datasets.own.scan import Scan, combined, images_in_several, ordered
from caffe_compat.srn.datasets.own.table import read_table
from caffe_compat.srn.datasets.own.text_list import is_celeba, read_celeba, read_text_list
from caffe_compat.srn.datasets.own.voc import is_image_set, read_image_set, read_xml_folder
from caffe_compat.srn.datasets.regular_file import check_regular_file
from caffe_compat.srn.datasets.samples import UNKNOWN, DataSet, DatasetSource, LabelRow, Sample


def read_json_lines(path: Path, reading: Reading) -> OwnFormat:
    """An object per line. Raises DataError for a line that is anything else."""
    return format_of(partial(_entries, path), path, reading)


def _entries(path: Path) -> Iterator[Entry]:
    for number, line in enumerate(text_lines(path), start=1):
        if line.strip():
            owner = f"{path}, line {number}"
            yield entry_of(_parsed(line, owner), owner)


def _parsed(line: str, owner: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f'{owner}: expected an object such as {{"image": "a.jpg", "labels": ["cat"]}}, found {line.strip()[:80]}'
        ) from error


AS_SHOWN = Reading()


@dataclass(frozen=True)
class OwnSplit:
    """What the user names for a split: annotations or a folder, and the label file if the annotations are a list.

    `rows` is the value of a split column whose rows are read; "" for the name of the split.
    """

    annotations: Path
    labels: Path | None = None
    rows: str = ""


class _Request(NamedTuple):
    """A split, and what formats need to read it."""

    split: str
    given: OwnSplit
    class_names: Sequence[str] | None
    reading: Reading


def own_data(
    splits: Mapping[str, OwnSplit],
    root: Path | None = None,
    class_names: Sequence[str] | None = None,
    reading: Reading = AS_SHOWN,
) -> DatasetSource:
    """The dataset; names count from `root`, or else from where the annotations lie.

    Without `class_names`, labels come in the order of columns, or by name (whole numbers by value); those of the
    first split count. Every row is read once before anything is written. Raises DataError for a label that is not
    among them, and for annotations that can be read in two ways where `reading` does not decide.
    """
    if not splits:
        raise DataError("expected the annotations of at least one split, found none; name --train")
    formats = {split: _format(_Request(split, given, class_names, reading)) for split, given in splits.items()}
    scans = {
        split: Scan(form, splits[split].annotations, root or form.root, reading.repeats)
        for split, form in formats.items()
    }
    first = next(iter(splits))
    names = list(class_names or formats[first].class_names or ordered(scans[first].labels))
    check_class_names(str(splits[first].annotations), names)
    for found in scans.values():
        found.check_labels(names)
    seen = combined(scans.values(), len(names))
    meaning = decide_meaning(seen, names, reading)
    return DatasetSource(
        "own",
        names,
        {split: partial(OwnSamples, found, names, meaning) for split, found in scans.items()},
        unknown_labels=any(meaning.values[cell] == UNKNOWN for cell in seen),
        notes=[*_notes(formats, scans, meaning), *_alike(names)],
        options=reading.given(),
    )


def read_class_names(path: Path) -> list[str]:
    """The label names of a file, one per line. Raises DataError if a name comes twice or there is none."""
    names = [line.strip() for line in text_lines(path) if line.strip()]
    check_class_names(str(path), names)
    return names


def _format(request: _Request) -> OwnFormat:
    path, labels = request.given.annotations, request.given.labels
    if path.is_dir():
        return read_xml_folder(path) if any(path.glob("*.xml")) else read_folders(path)
    check_regular_file(path, "annotations")
    if labels is not None:
        return read_list(path, labels, request.class_names)
    read = _FORMATS.get(path.suffix.lower())
    if read is None:
        raise DataError(
            f"{path}: expected a folder, {', '.join(_FORMATS)}, or an image list with its label file; "
            "name the label file too"
        )
    return read(path, request)


def _text(path: Path, request: _Request) -> OwnFormat:
    if is_image_set(path):
        return read_image_set(path)
    if is_celeba(path):
        return read_celeba(path)
    first = next(text_lines(path), "")
    if any(mark in first for mark in ",;\t") and not has_image_suffix(first.split(" ")[0]):
        return _table(path, request)
    return read_text_list(path, request.reading, request.class_names)


def _table(path: Path, request: _Request) -> OwnFormat:
    return read_table(path, request.reading, request.split, request.given.rows, request.class_names)


_FORMATS: dict[str, Callable[[Path, _Request], OwnFormat]] = {
    ".csv": _table,
    ".tsv": _table,
    ".txt": _text,
    ".json": lambda path, request: read_json_annotations(path, request.reading),
    ".jsonl": lambda path, request: read_json_lines(path, request.reading),
    ".ndjson": lambda path, request: read_json_lines(path, request.reading),
}


def _notes(formats: Mapping[str, OwnFormat], scans: Mapping[str, Scan], meaning: CellValues) -> Iterator[str]:
    for split, form in formats.items():
        yield from (f"{split}: {note}" for note in form.notes)
        yield from repeat_notes(scans[split].joined, split)
    yield from images_in_several(scans)
    yield from meaning.notes


def _alike(names: Sequence[str]) -> Iterator[str]:
    """A note on labels that may be one, written in two ways."""
    spellings: dict[str, list[str]] = {}
    for name in names:
        spellings.setdefault("".join(name.split()).casefold(), []).append(name)
    found = [" and ".join(map(repr, same)) for same in spellings.values() if len(same) > 1]
    if found:
        yield f"labels that differ in case or blanks alone, taken as different ones: {', '.join(found)[:200]}"


class OwnSamples:
    """The samples of a split, read again from its annotations at each iteration."""

    def __init__(self, found: Scan, class_names: Sequence[str], meaning: CellValues) -> None:
        self._scan, self._values = found, meaning.values
        self._columns = {name: column for column, name in enumerate(class_names)}

    def __len__(self) -> int:
        return len(self._scan)

    def __iter__(self) -> Iterator[Sample]:
        for row in self._scan.rows():
            yield Sample(row.name, str(self._scan.root / row.name), self._labels(row))

    def _labels(self, row: OwnRow) -> LabelRow:
        labels = np.full(len(self._columns), self._values[row.rest], np.int8)
        for name, cell in row.cells.items():
            labels[self._columns[name]] = self._values[cell]
        return labels


def _own_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags of a user's own data."""
    kinds = ".csv, .tsv, .txt, .json, .jsonl, a folder of XML or with a folder per label, or an image list"
    for split in SPLITS:
        parser.add_argument(f"--{split}", type=Path, metavar="FILE", help=kinds)
        parser.add_argument(f"--{split}-labels", type=Path, metavar="FILE", help="the label file of an image list")
        parser.add_argument(
            f"--{split}-rows", default="", metavar="VALUE", help="which rows of a table with a split column to read"
        )
    parser.add_argument(
        "--root", type=Path, help="the folder to which image names are relative (default: that of the annotations)"
    )
    parser.add_argument("--classes", type=Path, help="all label names in order, one per line")
    add_reading_arguments(parser)


def _own_source(arguments: argparse.Namespace) -> DatasetSource:
    """Returns the user's own data, read as the command line says."""
    splits = {
        split: OwnSplit(annotations, getattr(arguments, f"{split}_labels"), getattr(arguments, f"{split}_rows"))
        for split in SPLITS
        if (annotations := getattr(arguments, split))
    }
    names = read_class_names(arguments.classes) if arguments.classes else None
    return own_data(splits, arguments.root, names, reading_of(arguments))


#: `prepare own`.
OWN = DataSet("your own images and labels", _own_arguments, _own_source)
