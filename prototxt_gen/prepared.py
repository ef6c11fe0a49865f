"""Reads what a data folder holds from the summary that preparation wrote there."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caffe_compat.errors import FormatError

SUMMARY = "summary.json"
#: Of folders of photographs with boxes: how many regions each person has.
REGIONS = "regions.json"
#: Caffe's solvers and nets hold numbers as 32 bits.
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Prepared:
    """The summary of a prepared folder.

    `images` counts the images of each split. `sides` gives height and width of a split's pictures in its image LMDB, in
    pixels; 0 if the pictures differ in size. `stored` names where pictures are: lmdb, folder or both.
    """

    labels: int
    images: Mapping[str, int]
    sides: Mapping[str, int]
    stored: tuple[str, ...]
    unknown_labels: bool


def read_prepared(folder: str) -> Prepared | None:
    """The summary of a prepared folder; None if the file does not exist.

    Raises FormatError if the file does not have the format that preparation writes.
    """
    path = Path(folder) / SUMMARY
    if not path.exists():
        return None
    if not path.is_file():
        raise FormatError(f"{path}: expected the summary that prepare writes, found a folder, pipe, socket or device")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return _prepared(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FormatError(
            f"{path}: expected the summary that prepare writes, found another form ({type(error).__name__}: "
            f"{str(error)[:80]}); prepare the data again with this version"
        ) from error


def read_region_counts(folder: str) -> dict[str, int]:
    """The numbers of regions and scenes that a folder of photographs with boxes says; empty without the file.

    Raises FormatError for other content.
    """
    path = Path(folder) / REGIONS
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: _count(content[name], 1) for name in ("around", "parts", "neighbours", "scenes")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(
            f"{path}: expected the numbers around, parts, neighbours and scenes, found another form "
            f"({type(error).__name__}: {str(error)[:80]}); write the folder again"
        ) from error


def _prepared(content: Any) -> Prepared:
    splits = content["splits"].items()
    stored = tuple(place for place in content["stored"] if place in ("lmdb", "folder"))
    if not stored or not splits:
        raise ValueError("no pictures")
    return Prepared(
        labels=_count(content["labels"], 1),
        images={name: _count(split["images"], 1) for name, split in splits},
        sides={name: _count(split["side"], 0) for name, split in splits},
        stored=stored,
        unknown_labels=content["unknown labels"] is True,
    )


def _count(value: Any, least: int) -> int:
    if type(value) is not int or not least <= value <= LARGEST:
        raise ValueError(f"{value!r} in place of a whole number from {least} to {LARGEST}")
    return value
