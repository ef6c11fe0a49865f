"""The whole photographs of WIDER-Attribute beside the people that `prepare wider_att` has cut out."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from caffe_compat.errors import DataError, FormatError
from caffe_compat.experiments.compared.people import (
    LabelledPerson,
    PeopleForm,
    photographs_folder,
    regions_of,
    resized,
    scaled,
    write_people_databases,
    write_sizes,
)
from caffe_compat.experiments.compared.person_regions import Corners
from caffe_compat.srn.datasets.json_file import entries, member, read_json
from caffe_compat.srn.datasets.layout import SPLITS, SplitFiles, read_image_list
from caffe_compat.srn.datasets.wider_attribute import FILES

JPEG_QUALITY = 95


class _Annotated(NamedTuple):
    """A photograph of the annotations: its file under the folder of images, its scene, and boxes of all people."""

    file: str
    scene: int
    boxes: list[list[float]]


def add_wider_people(data: Path, annotations: Path, images: Path, side: int) -> None:
    """Adds photographs of `side` pixels, boxes and scenes for all people of a folder that `prepare wider_att` wrote.

    Files of an interrupted call are written again. Raises DataError where the folder and the annotations do not fit.
    """
    found = dict(_people(annotations))
    scenes = sorted({photograph.scene for photograph, _ in found.values()})
    form = PeopleForm((), len(scenes), side, crop_side=0)
    splits = [files for files in (SplitFiles(data, split) for split in SPLITS) if files.image_list.exists()]
    for files in splits:
        records = []
        photographs: dict[str, list[Corners]] = {}
        for image in read_image_list(files.image_list):
            if image.name not in found:
                raise DataError(f"{files.image_list}: '{image.name}' is no person of {annotations}; prepare both from "
                                "the same release")  # fmt: skip
            photograph, number = found[image.name]
            if photograph.file not in photographs:
                photographs[photograph.file] = _store(data, images, photograph, side)
            people = [LabelledPerson(box, ()) for box in photographs[photograph.file]]
            records.append(
                {
                    "crop": image.name,
                    "photo": photograph.file,
                    "scene": scenes.index(photograph.scene),
                    "regions": regions_of(people, number, form),
                }
            )
        write_people_databases(files, records)
    write_sizes(data, form)


def _people(annotations: Path) -> Iterator[tuple[str, tuple[_Annotated, int]]]:
    """Each person by the name in image lists: the photograph and the person's number in it."""
    for file in FILES.values():
        path = annotations / file
        for entry in entries(path, read_json(path), "images", {"file_name": str, "targets": list, "scene_id": int}):
            name = Path(entry["file_name"])
            boxes = [_box(path, target) for target in entry["targets"]]
            photograph = _Annotated(entry["file_name"], entry["scene_id"], boxes)
            for number in range(len(boxes)):
                yield name.with_name(f"{name.stem}_{number}{name.suffix}").as_posix(), (photograph, number)


def _box(path: Path, target: Mapping[str, Any]) -> list[float]:
    box = member(path, target, "bbox")
    if not isinstance(box, list) or len(box) != 4:
        raise FormatError(f"{path}: expected a box of left, top, width and height, found {box}")
    return box


def _store(data: Path, images: Path, photograph: _Annotated, side: int) -> list[Corners]:
    """Stores the photograph, and returns the boxes of its people there, cut at its border."""
    pixels = cv2.imread(str(images / photograph.file))
    if pixels is None:
        raise DataError(f"{images / photograph.file}: cannot read the photograph; check the folder of images")
    path = photographs_folder(data) / photograph.file
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), resized(np.asarray(pixels, np.uint8), side), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    height, width = pixels.shape[:2]
    boxes = []
    for left, top, wide, high in photograph.boxes:
        first = max(min(left, width - 1), 0), max(min(top, height - 1), 0)
        last = max(min(left + wide, width) - 1, first[0]), max(min(top + high, height) - 1, first[1])
        boxes.append(scaled(Corners(*first, *last), side / width, side / height))
    return boxes
