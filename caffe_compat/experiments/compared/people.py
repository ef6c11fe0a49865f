"""A folder of photographs with people for R-CNN, R*CNN and DHC, and of crops of each person for the other methods.

The files of `caffe_compat/srn/datasets/layout.py` hold one crop per person. Further files are:

- `photos/`, and {split}_photo_lmdb: the whole photograph, once for each person in it, in the order of the crops
- {split}_{person,around,part,neighbour}_lmdb: 4 numbers for each region (left, top, right and bottom in pixels)
- {split}_scene_lmdb: the scene's number
- {split}_people.json: for each person the photograph and the same regions
- regions.json: how many regions of each kind, how many scenes, and the side of the photographs in pixels
"""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.lmdb_writer import LmdbWriter
from caffe_compat.data.sources.datums import array_to_datum, encoded_datum, record_key
from caffe_compat.errors import DataError
from caffe_compat.experiments.compared.person_regions import Corners, around, grid_parts, nearest_people
from caffe_compat.proto.file_bytes import replacing
from caffe_compat.srn.datasets.databases import write_image_database, write_label_database
from caffe_compat.srn.datasets.layout import SplitFiles, write_class_names
from caffe_compat.srn.datasets.new_folder import new_folder
from prototxt_gen.prepared import REGIONS

Pixels = NDArray[np.uint8]
KINDS = ("person", "around", "part", "neighbour")


class LabelledPerson(NamedTuple):
    """A person: box, labels (C,) of 1 present, 0 and -1 absent or unspecified, and parts where a detector gave them."""

    box: Corners
    labels: Sequence[int]
    parts: Sequence[Corners] = ()


class Photograph(NamedTuple):
    """A picture (height, width, 3), blue first, with its scene's number from 0 and its people."""

    name: str
    pixels: Pixels
    scene: int
    people: Sequence[LabelledPerson]


@dataclass(frozen=True)
class PeopleForm:
    """Sizes of the folder: sides of photographs and crops in pixels, scenes, and regions of each person."""

    class_names: Sequence[str]
    scenes: int
    side: int
    crop_side: int
    around: int = 10
    part_rows: int = 3
    part_columns: int = 2
    neighbours: int = 3

    @property
    def parts(self) -> int:
        """The number of parts of a person."""
        return self.part_rows * self.part_columns


def write_people(folder: Path, splits: Mapping[str, Iterable[Photograph]], form: PeopleForm) -> None:
    """Writes a new folder of photographs; DataError if it is there already, or a person does not fit the form."""
    with new_folder(folder) as beside:
        write_class_names(beside, form.class_names)
        for split, photographs in splits.items():
            _SplitOfPeople(SplitFiles(beside, split), form).write(photographs)
        write_sizes(beside, form)


def regions_of(people: Sequence[LabelledPerson], number: int, form: PeopleForm) -> dict[str, list[Corners]]:
    """The regions of person `number` of a photograph, by kind. Boxes count in the photograph as it is stored.

    Neighbours are parts of the people near, part by part; within a part the nearest person comes first.
    """
    parts = [_parts(person, form) for person in people]
    box = people[number].box
    near = nearest_people([person.box for person in people], number, form.neighbours)
    return {
        "person": [box],
        "around": around(box, form.side, form.around),
        "part": parts[number],
        "neighbour": [parts[other][part] for part in range(form.parts) for other in near],
    }


def read_people(data: Path, split: str) -> list[dict[str, Any]]:
    """The people of a split in the order of its labels: photograph and regions by kind."""
    people: list[dict[str, Any]] = json.loads((data / f"{split}_people.json").read_text(encoding="utf-8"))
    return people


def read_sizes(data: Path) -> dict[str, int]:
    """The numbers of regions.json; DataError where the folder has no photographs with people."""
    path = data / REGIONS
    if not path.exists():
        raise DataError(
            f"{data}: expected whole photographs beside the people cut out ({REGIONS}), found none; write them with "
            "prepare wider_att --photographs 448"
        )
    sizes: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    return sizes


def _parts(person: LabelledPerson, form: PeopleForm) -> list[Corners]:
    parts = list(person.parts) or grid_parts(person.box, form.part_rows, form.part_columns)
    if len(parts) != form.parts:
        raise DataError(f"expected {form.parts} parts of each person, as the form says, found {len(parts)}")
    return parts


class _SplitOfPeople:
    """Writes one split."""

    def __init__(self, files: SplitFiles, form: PeopleForm) -> None:
        self._files, self._form = files, form
        self._people: list[dict[str, Any]] = []
        self._labels: list[Sequence[int]] = []

    def write(self, photographs: Iterable[Photograph]) -> None:
        """Pictures first, then lists and databases of all people."""
        files = self._files
        for place in (files.images, photographs_folder(files.folder)):
            (place / files.split).mkdir(parents=True)
        for photograph in photographs:
            self._add(photograph)
        present = [[int(value == 1) for value in row] for row in self._labels]
        names = [person["crop"] for person in self._people]
        files.image_list.write_text(
            "".join(f"{name} {sum(row)}\n" for name, row in zip(names, present, strict=True)), encoding="utf-8"
        )
        write_image_database(f"{files.images}/", files.image_list, files.image_database)
        files.labels.write_text(_rows(present), encoding="utf-8")
        write_label_database(files.labels, files.image_list, files.label_database)
        files.labels.write_text(_rows(self._labels), encoding="utf-8")
        write_people_databases(files, self._people)

    def _add(self, photograph: Photograph) -> None:
        """Stores the photograph and the crop of each of its people."""
        form, files = self._form, self._files
        height, width = photograph.pixels.shape[:2]
        name = f"{files.split}/{photograph.name}"
        cv2.imwrite(str(photographs_folder(files.folder) / f"{name}.png"), resized(photograph.pixels, form.side))
        people = [_in_stored_photograph(one, form.side / width, form.side / height) for one in photograph.people]
        for number, person in enumerate(photograph.people):
            crop = f"{name}_{number}.png"
            cv2.imwrite(str(files.images / crop), resized(_cut(photograph, person.box), form.crop_side))
            regions = regions_of(people, number, form)
            self._people.append({"crop": crop, "photo": f"{name}.png", "scene": photograph.scene, "regions": regions})
            self._labels.append(person.labels)


def write_people_databases(files: SplitFiles, people: Sequence[dict[str, Any]]) -> None:
    """Writes what the nets read of a split's people, each a record of {split}_people.json; `photos` must be there.

    A record holds `crop`, the person's name in the image list, `photo`, `scene` and `regions` by kind. Databases of an
    interrupted call are replaced.
    """
    with _database(files, "photo") as database:
        for ordinal, person in enumerate(people):
            encoded = (photographs_folder(files.folder) / person["photo"]).read_bytes()
            database.put(record_key(ordinal, person["crop"]), encoded_datum(encoded, 0))
    for kind in (*KINDS, "scene"):
        with _database(files, kind) as database:
            for ordinal, person in enumerate(people):
                values = [person["scene"]] if kind == "scene" else person["regions"][kind]
                column = np.array(values, np.float32).reshape(-1, 1, 1)
                database.put(record_key(ordinal, person["crop"]), array_to_datum(column))
    (files.folder / f"{files.split}_people.json").write_text(json.dumps(people), encoding="utf-8")


def write_sizes(folder: Path, form: PeopleForm) -> None:
    """Writes regions.json, the last file, which shows that a folder is complete."""
    counts = {"around": form.around, "parts": form.parts, "neighbours": form.neighbours}
    sizes = counts | {"scenes": form.scenes, "side": form.side}
    with replacing(folder / REGIONS) as beside:
        beside.write_text(json.dumps(sizes) + "\n", encoding="utf-8")


def photographs_folder(data: Path) -> Path:
    """The folder of the stored photographs."""
    return data / "photos"


def resized(pixels: Pixels, side: int) -> Pixels:
    """Returns the picture resized to `side` x `side` pixels."""
    if pixels.shape[:2] == (side, side):
        return pixels
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def scaled(box: Corners, across: float, down: float) -> Corners:
    """The box in a picture that is so many times as wide and high: its edges move, and its last pixels with them."""
    edges = np.add(box, (0, 0, 1, 1)) * (across, down, across, down) - (0, 0, 1, 1)
    return Corners(*edges.tolist())


def _database(files: SplitFiles, kind: str) -> LmdbWriter:
    path = files.folder / f"{files.split}_{kind}_lmdb"
    shutil.rmtree(path, ignore_errors=True)
    return LmdbWriter(str(path))


def _in_stored_photograph(person: LabelledPerson, across: float, down: float) -> LabelledPerson:
    parts = [scaled(part, across, down) for part in person.parts]
    return LabelledPerson(scaled(person.box, across, down), person.labels, parts)


def _cut(photograph: Photograph, box: Corners) -> Pixels:
    left, top, right, bottom = (round(value) for value in box)
    cut = photograph.pixels[max(top, 0) : bottom + 1, max(left, 0) : right + 1]
    if not cut.size:
        raise DataError(f"photograph '{photograph.name}': expected the box of a person inside it, found {tuple(box)}")
    return cut


def _rows(rows: Iterable[Sequence[int]]) -> str:
    return "".join(" ".join(map(str, row)) + "\n" for row in rows)
