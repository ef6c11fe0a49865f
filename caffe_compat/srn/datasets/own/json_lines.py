"""Annotations in JSON lines: {"image": "a.jpg", "labels": ["cat", "dog"]}, or labels as {"cat": 1, "dog": -1}."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.json_entries import Entry, entry_of, format_of
from caffe_compat.srn.datasets.own.reading import Reading
from caffe_compat.srn.datasets.own.rows import OwnFormat, text_lines


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
