"""A folder of photographs with people: what R-CNN, R*CNN and DHC read, beside crops of each person for the other rows.

Files beside those of `caffe_compat/srn/datasets/layout.py`, which hold one crop per person:

- `photos/`, and {split}_photo_lmdb: the whole photograph, once for each person in it, in step with the crops
- {split}_{person,around,part,neighbour}_lmdb: 4 numbers for each region (left, top, right and bottom in pixels)
- {split}_scene_lmdb: the scene's number
- {split}_people.json: for each person the photograph and the same regions
- regions.json: how many regions of each kind, how many scenes, and the side of the photographs in pixels
"""

import json
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
from caffe_compat.srn.datasets.databases import write_image_database, write_label_database
from caffe_compat.srn.datasets.layout import SplitFiles, write_class_names
from caffe_compat.srn.datasets.new_folder import new_folder

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
        counts = {"around": form.around, "parts": form.parts, "neighbours": form.neighbours}
        sizes = counts | {"scenes": form.scenes, "side": form.side}
        (beside / "regions.json").write_text(json.dumps(sizes) + "\n", encoding="utf-8")
        for split, photographs in splits.items():
            _SplitOfPeople(SplitFiles(beside, split), form).write(photographs)


def regions_of(people: Sequence[LabelledPerson], number: int, form: PeopleForm) -> dict[str, list[Corners]]:
    """The regions of person `number` of a photograph, by kind. Boxes count in the photograph as it is stored.

    Neighbours are parts of the people near: all those of a part lie together, the nearest person first.
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
    """The numbers of regions.json."""
    sizes: dict[str, int] = json.loads((data / "regions.json").read_text(encoding="utf-8"))
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
        for place in (files.images, files.folder / "photos"):
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
        (files.folder / f"{files.split}_people.json").write_text(json.dumps(self._people), encoding="utf-8")
        self._write_photographs(names)
        self._write_numbers(names)

    def _add(self, photograph: Photograph) -> None:
        """Stores the photograph and the crop of each of its people."""
        form, files = self._form, self._files
        height, width = photograph.pixels.shape[:2]
        scale = np.array([form.side / width, form.side / height] * 2)
        name = f"{files.split}/{photograph.name}"
        cv2.imwrite(str(files.folder / "photos" / f"{name}.png"), _resized(photograph.pixels, form.side))
        scaled = [_scaled(person, scale) for person in photograph.people]
        for number, person in enumerate(photograph.people):
            crop = f"{name}_{number}.png"
            cv2.imwrite(str(files.images / crop), _resized(_cut(photograph, person.box), form.crop_side))
            regions = regions_of(scaled, number, form)
            self._people.append({"crop": crop, "photo": f"{name}.png", "scene": photograph.scene, "regions": regions})
            self._labels.append(person.labels)

    def _write_photographs(self, names: Sequence[str]) -> None:
        photos = self._files.folder / "photos"
        with LmdbWriter(str(self._files.folder / f"{self._files.split}_photo_lmdb")) as database:
            for ordinal, (name, person) in enumerate(zip(names, self._people, strict=True)):
                encoded = (photos / person["photo"]).read_bytes()
                database.put(record_key(ordinal, name), encoded_datum(encoded, 0))

    def _write_numbers(self, names: Sequence[str]) -> None:
        for kind in (*KINDS, "scene"):
            with LmdbWriter(str(self._files.folder / f"{self._files.split}_{kind}_lmdb")) as database:
                for ordinal, (name, person) in enumerate(zip(names, self._people, strict=True)):
                    values = [person["scene"]] if kind == "scene" else person["regions"][kind]
                    column = np.array(values, np.float32).reshape(-1, 1, 1)
                    database.put(record_key(ordinal, name), array_to_datum(column))


def _scaled(person: LabelledPerson, scale: NDArray[np.float64]) -> LabelledPerson:
    """The person in the stored photograph: first and last pixels move with the edges of the box."""

    def corners(box: Corners) -> Corners:
        edges = np.add(box, (0, 0, 1, 1)) * scale - (0, 0, 1, 1)
        return Corners(*edges.tolist())

    return LabelledPerson(corners(person.box), person.labels, [corners(part) for part in person.parts])


def _cut(photograph: Photograph, box: Corners) -> Pixels:
    left, top, right, bottom = (round(value) for value in box)
    cut = photograph.pixels[max(top, 0) : bottom + 1, max(left, 0) : right + 1]
    if not cut.size:
        raise DataError(f"photograph '{photograph.name}': expected the box of a person inside it, found {tuple(box)}")
    return cut


def _resized(pixels: Pixels, side: int) -> Pixels:
    if pixels.shape[:2] == (side, side):
        return pixels
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


def _rows(rows: Iterable[Sequence[int]]) -> str:
    return "".join(" ".join(map(str, row)) + "\n" for row in rows)
