"""Annotations in JSON lines: {"image": "a.jpg", "labels": ["cat", "dog"]}, or labels as {"cat": 1, "dog": -1}."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own_rows import OwnFormat, OwnRow, text_lines, value_of


def read_json_lines(path: Path) -> OwnFormat:
    """One object a line. Raises DataError, when rows are read, for a line that is anything else."""
    return OwnFormat(partial(_rows, path), None, path.parent)


def _rows(path: Path) -> Iterator[OwnRow]:
    for number, line in enumerate(text_lines(path), start=1):
        if line.strip():
            yield _row(line, f"{path}, line {number}")


def _row(line: str, owner: str) -> OwnRow:
    try:
        entry = json.loads(line)
        name, labels = entry["image"], entry["labels"]
        if not isinstance(name, str):
            raise TypeError("a name is text")
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f'{owner}: expected an object such as {{"image": "a.jpg", "labels": ["cat"]}}, found {line.strip()[:80]}'
        ) from error
    return OwnRow(owner, name, _values(labels, owner))


def _values(labels: Any, owner: str) -> dict[str, int]:
    if isinstance(labels, dict):
        return {name: value_of(str(value), owner, name) for name, value in labels.items()}
    if isinstance(labels, list) and all(isinstance(name, str | int) for name in labels):
        return {str(name): 1 for name in labels}
    raise DataError(f"{owner}: expected a list of label names, or an object of labels and 1, 0 or -1, found {labels}")
