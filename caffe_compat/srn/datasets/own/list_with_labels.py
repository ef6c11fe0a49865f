"""An image list with a label file: both have the same images, line for line, as in the released SRN code."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path

from caffe_compat.errors import ShapeError
from caffe_compat.srn.datasets.layout import parse_listed_image
from caffe_compat.srn.datasets.own.cells import token_of
from caffe_compat.srn.datasets.own.rows import OwnFormat, OwnRow, text_lines

_NO_LINE = ""


def read_list(path: Path, labels: Path, class_names: Sequence[str] | None = None) -> OwnFormat:
    """The images of a list; columns of labels are called by `class_names`, or else numbered from 0.

    Raises ShapeError if names and columns do not fit, or, when rows are read, if the two files do not.
    """
    columns = len(next(_lines(labels), _NO_LINE).split())
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
