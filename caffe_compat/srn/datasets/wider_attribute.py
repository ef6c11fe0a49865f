"""WIDER-Attribute: 14 attributes of people, each cut out of its photograph by a box.

An attribute is 1 present, -1 absent or 0 unspecified. As in the paper, nets are trained on "trainval" and take
unspecified attributes for absent. Label files of other splits keep all three values: evaluation leaves unspecified
attributes out.
"""

import argparse
from collections.abc import Iterator
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from caffe_compat.errors import FormatError
from caffe_compat.srn.datasets.json_file import check_fields, entries, member, read_json
from caffe_compat.srn.datasets.samples import (
    ABSENT,
    PRESENT,
    UNKNOWN,
    DataSet,
    DatasetSource,
    PictureBox,
    Sample,
    Samples,
    SampleSource,
)

FILES = {"train": "wider_attribute_trainval.json", "test": "wider_attribute_test.json"}
#: Attribute values of the annotations, as labels of a Sample.
_LABELS = {1: PRESENT, -1: ABSENT, 0: UNKNOWN}
PUBLISHED = {"train": 28_340, "test": 29_177}


class _Person(NamedTuple):
    """A person in a photograph; `number` counts its people from 0."""

    photograph: str
    number: int
    box: PictureBox
    attributes: list[int]


def wider_attribute(annotations: Path, images: Path) -> DatasetSource:
    """The dataset from `annotations`/wider_attribute_{trainval,test}.json and photographs under `images`."""
    files = {split: annotations / name for split, name in FILES.items()}
    attributes = _attributes(files["train"])
    splits = {split: partial(_split, path, images, len(attributes)) for split, path in files.items()}
    return DatasetSource("wider_att", attributes, splits, PUBLISHED, released_codes=True)


def _attributes(path: Path) -> list[str]:
    names = member(path, read_json(path), "attribute_id_map")
    if not isinstance(names, dict) or not all(identifier.isdecimal() for identifier in names):
        raise FormatError(f"{path}: expected names by number as 'attribute_id_map', found {str(names)[:80]}")
    return [names[identifier] for identifier in sorted(names, key=int)]


def _split(path: Path, images: Path, attributes: int) -> SampleSource:
    people = list(_people(path, attributes))
    return Samples(people, lambda person: _sample(person, images))


def _people(path: Path, attributes: int) -> Iterator[_Person]:
    for photograph in entries(path, read_json(path), "images", {"file_name": str, "targets": list}):
        for number, target in enumerate(photograph["targets"]):
            _check(f"{path}: person {number} of '{photograph['file_name']}'", target, attributes)
            yield _Person(photograph["file_name"], number, PictureBox(*target["bbox"]), target["attribute"])


def _check(owner: str, target: Any, attributes: int) -> None:
    check_fields(owner, target, {"attribute": list, "bbox": list})
    values, box = target["attribute"], target["bbox"]
    if len(values) != attributes or not all(value in _LABELS for value in values):
        raise FormatError(f"{owner}: expected {attributes} attributes of 1, 0 or -1, found {values}")
    if len(box) != len(PictureBox._fields) or not all(isinstance(side, int | float) and isfinite(side) for side in box):
        raise FormatError(f"{owner}: expected a box of left, top, width and height, found {box}")


def _sample(person: _Person, images: Path) -> Sample:
    photograph = Path(person.photograph)
    name = photograph.with_name(f"{photograph.stem}_{person.number}{photograph.suffix}").as_posix()
    labels = np.array([_LABELS[value] for value in person.attributes], np.int8)
    return Sample(name, str(images / photograph), labels, person.box)


def _wider_attribute_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the flags of WIDER-Attribute."""
    help_annotations = "the folder of wider_attribute_{trainval,test}.json"
    parser.add_argument("--annotations", type=Path, required=True, help=help_annotations)
    parser.add_argument("--images", type=Path, required=True, help="the folder of train/, val/ and test/ (Image/)")


def _wider_attribute_source(arguments: argparse.Namespace) -> DatasetSource:
    """Returns WIDER-Attribute, read as the command line says."""
    return wider_attribute(arguments.annotations, arguments.images)


#: `prepare wider_att`.
WIDER_ATTRIBUTE = DataSet(
    "WIDER-Attribute: people cut out", _wider_attribute_arguments, _wider_attribute_source, ("lmdb", "folder")
)
