"""The relation scenes as a dataset on disk: pictures, lists, labels, true boxes and both LMDBs for each split."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from caffe_compat.experiments.mechanism.relation_rules import (
    CLASS_NAMES,
    RelatedDigit,
    RelationRules,
    draw_relation_scene,
)
from caffe_compat.srn.datasets.databases import write_image_database, write_label_database
from caffe_compat.srn.datasets.digits import Digits, digits_of
from caffe_compat.srn.datasets.layout import SPLITS, SplitFiles, write_class_names
from caffe_compat.srn.datasets.new_folder import new_folder

CELL = 8  # pixels: scikit-learn's digits at their own size
JITTER = 1  # pixels by which a digit may miss its cell
CONTRAST = (0.6, 0.9)
BACKGROUND = 0.25
NOISE = 0.06


def write_relation_scenes(folder: Path, numbers: Mapping[str, int], seed: int, rules: RelationRules) -> None:
    """Write as many scenes for each split as `numbers` says into a new folder.

    Raises DataError if the folder is there already. Digits of one split appear in no other.
    """
    with new_folder(folder) as beside:
        write_class_names(beside, CLASS_NAMES)
        for split, number in numbers.items():
            _write_split(SplitFiles(beside, split), number, seed, rules)


def draw_picture(
    scene: list[RelatedDigit], digits: Digits, rules: RelationRules, random: np.random.Generator
) -> tuple[NDArray[np.uint8], list[tuple[int, int, int, int]]]:
    """The scene as (side, side, 3) with equal channels, and each digit's box (left, top, width, height) in pixels."""
    side = CELL * rules.grid
    plane = np.full((side, side), BACKGROUND)
    boxes = []
    for placed in scene:
        glyph = random.choice(digits[placed.digit]) * random.uniform(*CONTRAST)
        top, left = (CELL * place + int(random.integers(-JITTER, JITTER + 1)) for place in placed.cell)
        plane[top : top + CELL, left : left + CELL] += glyph
        boxes.append((left, top, CELL, CELL))
    plane += NOISE * random.standard_normal(plane.shape)
    pixels = (255 * np.clip(plane, 0, 1)).astype(np.uint8)
    return np.repeat(pixels[..., None], 3, axis=2), boxes


def _write_split(files: SplitFiles, number: int, seed: int, rules: RelationRules) -> None:
    (files.images / files.split).mkdir(parents=True)
    random, digits = np.random.default_rng([seed, SPLITS.index(files.split)]), digits_of(files.split)
    objects = {}
    for ordinal in range(number):
        name = f"{files.split}/{ordinal:05d}.png"
        scene = draw_relation_scene(rules, random)
        picture, boxes = draw_picture(scene, digits, rules, random)
        cv2.imwrite(str(files.images / name), picture)
        objects[name] = [
            {"labels": [CLASS_NAMES[label] for label in placed.labels], "digit": placed.digit, "box": list(box)}
            for placed, box in zip(scene, boxes, strict=True)
        ]
    _write_lists(files, objects)


def _write_lists(files: SplitFiles, objects: Mapping[str, list[dict[str, Any]]]) -> None:
    """Image list, labels and boxes as text, and both databases made from these files."""
    rows = {
        name: [int(any(label in thing["labels"] for thing in things)) for label in CLASS_NAMES]
        for name, things in objects.items()
    }
    files.image_list.write_text("".join(f"{name} {sum(row)}\n" for name, row in rows.items()), encoding="utf-8")
    files.labels.write_text("".join(" ".join(map(str, row)) + "\n" for row in rows.values()), encoding="utf-8")
    files.boxes.write_text(json.dumps(objects), encoding="utf-8")
    write_image_database(f"{files.images}/", files.image_list, files.image_database)
    write_label_database(files.labels, files.image_list, files.label_database)
