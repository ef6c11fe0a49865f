"""Where each label of each image truly is, read from the box files of drawn scenes.

Each part of the page stands apart in a file.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import DataError
from caffe_compat.srn.metrics.attention_scores import Box


def read_boxes(path: Path, names: Sequence[str], classes: Sequence[str]) -> list[dict[int, list[Box]]]:
    """For each image the boxes (left, top, width, height) of each label, in pixels.

    Raises DataError where the file is not there: only drawn scenes have true places.
    """
    if not path.exists():
        raise DataError(
            f"{path}: expected the true place of each object, found no such file; only drawn scenes have it"
        )
    things = json.loads(path.read_text(encoding="utf-8"))
    return [_boxes_of(things[name], classes) for name in names]


def _boxes_of(things: Sequence[Mapping[str, Any]], classes: Sequence[str]) -> dict[int, list[Box]]:
    boxes: dict[int, list[Box]] = {}
    for thing in things:
        left, top, width, height = map(float, thing["box"])
        for label in thing["labels"]:
            boxes.setdefault(classes.index(label), []).append((left, top, width, height))
    return boxes


def centres(boxes: Sequence[dict[int, list[Box]]], labels: int) -> NDArray[np.float64]:
    """The centre of each label's box, (images, labels, 2) as (down, right) in pixels; NaN without exactly one box."""
    places = np.full((len(boxes), labels, 2), np.nan)
    for image, of_label in enumerate(boxes):
        for label, found in of_label.items():
            if len(found) == 1:
                left, top, width, height = found[0]
                places[image, label] = top + height / 2, left + width / 2
    return places
