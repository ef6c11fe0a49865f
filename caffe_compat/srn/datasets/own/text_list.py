"""Text files with an image and its labels per line, without a header: `name 0 1 1`, `name cat dog`, CelebA's file."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from caffe_compat.errors import DataError, ShapeError
from caffe_compat.srn.datasets.image_header import has_image_suffix
from caffe_compat.srn.datasets.own.cells import token_of
from caffe_compat.srn.datasets.own.numbers import hold_values
from caffe_compat.srn.datasets.own.reading import SEPARATORS, Reading
from caffe_compat.srn.datasets.own.rows import OwnFormat, OwnRow, listed, text_lines

#: Separators that tell, where labels hold them, that blanks are parts of names.
_MARKS = ("semicolon", "bar", "comma")
#: A name, which may hold blanks, and the numbers after it.
_NUMBERED = re.compile(r"(?P<name>.*?\S)(?P<numbers>(\s+[-+]?\d+(\.\d*)?)*)")


def is_celeba(path: Path) -> bool:
    """Whether the first line of a file is a number and the second holds names, as in CelebA's list_attr_celeba.txt."""
    first, second = [*islice(text_lines(path), 2), "", ""][:2]
    return first.strip().isdecimal() and bool(second.split()) and not has_image_suffix(second.split()[0])


def read_celeba(path: Path) -> OwnFormat:
    """A count, the names of the attributes, then `name -1 1 ...`. Raises ShapeError if the count is another."""
    lines = _lines(path)
    (_, count), (_, names) = next(lines), next(lines)
    found = sum(1 for _ in lines)
    if int(count) != found:
        raise ShapeError(f"{path}: expected {int(count)} images, as the first line says, found {found}")
    return OwnFormat(partial(_values, path, names.split(), 2), names.split(), path.parent, ["CelebA's form"])


def read_text_list(path: Path, reading: Reading, class_names: Sequence[str] | None) -> OwnFormat:
    """Columns of values are called by `class_names`, or else numbered from 0.

    Raises DataError for lines that are image names alone, or for numbers that can be read in two ways.
    """
    rows = [(f"{path}, line {line}", *_split(text)) for line, text in islice(_lines(path), 1000)]
    if not any(numbers for _, _, numbers in rows):
        return _words(path, rows, reading)
    if all(len(numbers) == 1 for _, _, numbers in rows) and not reading.label_cells:
        raise DataError(
            f"{rows[0][0]}: '{rows[0][2][0]}' after the name can be read in three ways: as the number of a label "
            "(--label-cells names), as the value of one label (--label-cells values), or as how many labels the image "
            "has, which a label file beside the list names (--train-labels); give the flag"
        )
    if not hold_values(((f"{path}, line {line}", _split(text)[1]) for line, text in _lines(path)), reading):
        return OwnFormat(partial(_label_numbers, path), None, path.parent, ["numbers of labels after each name"])
    columns = len(rows[0][2])
    names = class_names or [str(column) for column in range(columns)]
    if len(names) != columns:
        raise ShapeError(f"{path}: expected {len(names)} values per line, one for each label name, found {columns}")
    return OwnFormat(partial(_values, path, names, 0), names, path.parent, ["a value for each label after each name"])


def _words(path: Path, rows: Sequence[tuple[str, str, Sequence[str]]], reading: Reading) -> OwnFormat:
    """Lines such as `a.jpg cat dog` or `a.jpg hot dog, cat`: the name ends where an image suffix does."""
    labels = [_name_and_labels(text)[1] for _, text, _ in rows]
    if not any(labels):
        raise DataError(
            f"{path}: expected labels after each image name, found names alone; name the label file too "
            "(--train-labels and so on), or give a .csv, .json or a folder"
        )
    separator = reading.separator or next((name for name in _MARKS if _holds(labels, SEPARATORS[name])), "space")
    note = f"names of labels after each name, separated by {separator}"
    return OwnFormat(partial(_label_words, path, SEPARATORS[separator]), None, path.parent, [note])


def _holds(labels: Sequence[str], separator: str | None) -> bool:
    return separator is not None and any(separator in text for text in labels)


def _label_words(path: Path, separator: str | None) -> Iterator[OwnRow]:
    """`separator` None stands for one label per image."""
    for line, text in _lines(path):
        name, labels = _name_and_labels(text)
        words = [labels] if separator is None else labels.split(separator)
        yield OwnRow(f"{path}, line {line}", name, listed(word.strip() for word in words))


def _name_and_labels(text: str) -> tuple[str, str]:
    words = text.split(" ")
    end = next((place for place, word in enumerate(words, start=1) if has_image_suffix(word)), 1)
    return " ".join(words[:end]), " ".join(words[end:])


def _label_numbers(path: Path) -> Iterator[OwnRow]:
    for line, text in _lines(path):
        name, numbers = _split(text)
        yield OwnRow(f"{path}, line {line}", name, listed(numbers))


def _values(path: Path, names: Sequence[str], skip: int) -> Iterator[OwnRow]:
    for line, text in islice(_lines(path), skip, None):
        owner = f"{path}, line {line}"
        name, numbers = _split(text)
        if len(numbers) != len(names):
            raise ShapeError(f"{owner}: expected {len(names)} values after the name, found {len(numbers)}")
        yield OwnRow(owner, name, {label: token_of(n, owner, label) for label, n in zip(names, numbers, strict=True)})


def _split(line: str) -> tuple[str, list[str]]:
    match = _NUMBERED.fullmatch(line)
    return (match["name"], match["numbers"].split()) if match else (line, [])


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbers of lines that hold something, and the lines without blanks at their ends."""
    lines = enumerate(text_lines(path), start=1)
    return ((number, line.strip()) for number, line in lines if line.strip())
