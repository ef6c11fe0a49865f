"""Reads JSON files of annotations; errors name the file."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from caffe_compat.errors import DataError, FormatError
from caffe_compat.srn.datasets.regular_file import check_regular_file


def read_json(
    path: Path,
    each_object: Callable[[dict[str, Any]], Any] | None = None,
    each_pairs: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> Any:
    """The content of a file; `each_object` may replace every object as soon as it is parsed, to keep memory small.

    `each_pairs` does the same and is given an object's keys and values, among which a key may come twice. Raises
    DataError if the file cannot be read, and FormatError if it is no JSON or is nested too deeply.
    """
    check_regular_file(path, "annotations")
    try:
        with path.open(encoding="utf-8-sig") as file:
            return json.load(file, object_hook=each_object, object_pairs_hook=each_pairs)
    except OSError as error:
        raise DataError(f"{path}: cannot read the annotations ({error.strerror}); check the path") from error
    except RecursionError as error:
        raise FormatError(f"{path}: expected annotations in JSON, found lists nested too deeply to be any") from error
    except ValueError as error:
        several = str(error).startswith("Extra data")
        cure = "a file with an object per line is called .jsonl" if several else "was the download cut short?"
        raise FormatError(f"{path}: expected JSON, found {error}; {cure}") from error


def member(path: Path, content: Any, name: str) -> Any:
    """A member of the outermost object. Raises FormatError if there is no such member."""
    if not isinstance(content, dict) or name not in content:
        found = ", ".join(content) if isinstance(content, dict) else type(content).__name__
        raise FormatError(f"{path}: expected a member '{name}', found {found or 'none'}; this is another kind of file")
    return content[name]


def entries(path: Path, content: Any, name: str, fields: Mapping[str, type]) -> list[dict[str, Any]]:
    """A member that is a list of objects with these fields. Raises FormatError with the number of any other entry."""
    listed = member(path, content, name)
    if not isinstance(listed, list):
        raise FormatError(f"{path}: expected a list as '{name}', found {type(listed).__name__}")
    for number, entry in enumerate(listed):
        check_fields(f"{path}: entry {number} of '{name}'", entry, fields)
    return listed


def check_fields(owner: str, entry: Any, fields: Mapping[str, type]) -> None:
    """Raises FormatError if an entry is no object, or lacks a field, or has one of another type."""
    for field, kind in fields.items():
        if not isinstance(entry, dict) or not isinstance(entry.get(field), kind):
            found = repr(entry.get(field)) if isinstance(entry, dict) and field in entry else f"none in {entry!r}"
            raise FormatError(f"{owner}: expected '{field}' of type {kind.__name__}, found {found[:80]}")


def check_once(owner: str, listed: list[dict[str, Any]], field: str) -> None:
    """Raises FormatError if two entries have the same value in a field."""
    value, times = next(iter(Counter(entry[field] for entry in listed).most_common(1)), (None, 0))
    if times > 1:
        raise FormatError(f"{owner}: expected each '{field}' once, found {value!r} {times} times")
