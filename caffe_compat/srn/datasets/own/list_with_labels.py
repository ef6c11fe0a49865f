"""An image list with a label file: both have the same images, line for line, as in the released SRN code."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.datasets.image_header import has_image_suffix
from caffe_compat.srn.datasets.layout import parse_listed_image
from caffe_compat.srn.datasets.own.cells import token_of
from caffe_compat.srn.datasets.own.rows import OwnFormat, OwnRow, text_lines

_NO_LINE = ""


def read_list(path: Path, labels: Path, class_names: Sequence[str] | None = None) -> OwnFormat:
    """The images of a list; columns of labels are called by `class_names`, or else numbered from 0.

    Raises DataError if the label file has names, and ShapeError if names and columns do not fit, or, when rows are
    read, if the two files do not.
    """
    first = next(_lines(labels), _NO_LINE).split()
    if first and has_image_suffix(first[0]):
        raise DataError(
            f"{labels}, line 1: expected numbers alone, a line for each image of {path}, found the name "
            f"'{first[0][:80]}'; a file of names and labels is given as --train, --val or --test, without a label file"
        )
    columns = len(first)
    names = class_names or [str(column) for column in range(columns)]
    if len(names) != columns:
        raise ShapeError(f"{labels}: expected {len(names)} numbers per line, one for each label name, found {columns}")
    return OwnFormat(partial(_rows, path, labels, names), names, path.parent)


def _rows(path: Path, labels: Path, names: Sequence[str]) -> Iterator[OwnRow]:
    for number, (image, cells) in enumerate(zip_longest(_lines(path), _lines(labels), fillvalue=_NO_LINE), start=1):
        if not (image and cells):
            short, long = (path, labels) if not image else (labels, path)
            raise ShapeError(f"{short}: expected as many lines as {long} has, found {number - 1}")
        owner, values = f"{labels}, line {number}", cells.split()
        if len(values) != len(names):
            raise ShapeError(f"{owner}: expected {len(names)} numbers, as in the first line, found {len(values)}")
        row = {name: token_of(value, owner, name) for name, value in zip(names, values, strict=True)}
        yield OwnRow(owner, parse_listed_image(image).name, row)


def _lines(path: Path) -> Iterator[str]:
    """Lines that hold something."""
    return (line.strip() for line in text_lines(path) if line.strip())
