"""The demo's dataset: scenes of handwritten digits, in the files that a user's own data would have."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.databases import write_image_database, write_label_database
from caffe_compat.srn.datasets.digits import Digits, digits_of
from caffe_compat.srn.datasets.layout import SPLITS, SplitFiles, write_class_names
from caffe_compat.srn.datasets.new_folder import new_folder
from caffe_compat.srn.datasets.scene_pictures import draw_picture
from caffe_compat.srn.datasets.scene_rules import CLASS_NAMES, PlacedDigit, SceneRules, draw_scene

JPEG_QUALITY = 95


def write_scenes(folder: Path, numbers: Mapping[str, int], seed: int, rules: SceneRules) -> None:
    """Write as many scenes a split as `numbers` says, with lists, labels, boxes and both LMDBs, into a new folder.

    Raises DataError if the folder is there already or a number is not positive.
    """
    for split, number in numbers.items():
        if number < 1:
            raise DataError(f"{folder}: expected at least 1 scene in split '{split}', found {number}")
    with new_folder(folder) as beside:
        write_class_names(beside, CLASS_NAMES)
        for split, number in numbers.items():
            _write_split(SplitFiles(beside, split), number, seed, rules)


def _write_split(files: SplitFiles, number: int, seed: int, rules: SceneRules) -> None:
    (files.images / files.split).mkdir(parents=True)
    random, digits = np.random.default_rng([seed, SPLITS.index(files.split)]), digits_of(files.split)
    scenes = {
        f"{files.split}/{ordinal:05d}.jpg": _write_scene(files, ordinal, digits, rules, random)
        for ordinal in range(number)
    }
    labels = {name: _label_row(objects) for name, objects in scenes.items()}
    files.image_list.write_text("".join(f"{name} {sum(row)}\n" for name, row in labels.items()), encoding="utf-8")
    files.labels.write_text("".join(" ".join(map(str, row)) + "\n" for row in labels.values()), encoding="utf-8")
    files.boxes.write_text(json.dumps(scenes), encoding="utf-8")
    write_image_database(f"{files.images}/", files.image_list, files.image_database)
    write_label_database(files.labels, files.image_list, files.label_database)


def _write_scene(
    files: SplitFiles, ordinal: int, digits: Digits, rules: SceneRules, random: np.random.Generator
) -> list[dict[str, Any]]:
    """Write the picture; return its objects as the box file tells them."""
    scene = draw_scene(rules, random)
    picture, boxes = draw_picture(scene, digits, rules, random)
    path = files.images / files.split / f"{ordinal:05d}.jpg"
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return [_object(placed, *box) for placed, box in zip(scene, boxes, strict=True)]


def _object(placed: PlacedDigit, left: int, top: int, width: int, height: int) -> dict[str, Any]:
    return {
        "labels": [CLASS_NAMES[label] for label in placed.labels],
        "digit": placed.digit,
        "degraded": placed.degraded,
        "box": [left, top, width, height],
    }


def _label_row(objects: list[dict[str, Any]]) -> list[int]:
    present = {name for thing in objects for name in thing["labels"]}
    return [int(name in present) for name in CLASS_NAMES]
