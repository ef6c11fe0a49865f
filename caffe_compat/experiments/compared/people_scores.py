"""Scores of people by the nets of R-CNN, R*CNN and DHC, which read photographs and regions of them."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.experiments.compared.people import read_people, read_sizes
from caffe_compat.experiments.runs import BATCH_SIZE, Run
from caffe_compat.net.build import load_net
from caffe_compat.net.net import Net
from caffe_compat.srn.prediction.released_input import net_input
from prototxt_gen.recipes import MODELS

#: Kinds of regions whose boxes are in the files; that of the whole photograph follows from its side.
WHOLE = "whole"


def people_scores(run: Run, split: str) -> NDArray[np.float64]:
    """Scores (people, labels) of a split, in the order of its labels."""
    data = run.dataset / "data"
    net = load_net(str(run.deploy_net), "TEST", weights=str(run.weights))
    people, side = read_people(data, split), read_sizes(data)["side"]
    kinds = MODELS[run.arm.model].regions
    picture = lru_cache(BATCH_SIZE)(lambda name: net_input(str(data / "photos" / name), side, side))
    scores = []
    for first in range(0, len(people), BATCH_SIZE):
        batch = people[first : first + BATCH_SIZE]
        photos = np.stack([picture(person["photo"]) for person in batch])
        scores.append(_scored(net, photos, region_rows(batch, kinds, side)))
    return np.concatenate(scores)


def region_rows(people: list[dict[str, Any]], kinds: tuple[str, ...], side: int) -> NDArray[np.float32]:
    """Rows (regions * people, 5) of ROIPooling: the first region of all people, then the second, and so on."""
    whole = [[0, 0, side - 1, side - 1]]
    boxes = np.array(
        [[box for kind in kinds for box in (whole if kind == WHOLE else one["regions"][kind])] for one in people],
        np.float32,
    )
    images = np.broadcast_to(np.arange(len(people), dtype=np.float32), boxes.shape[1::-1])
    return np.concatenate([images.reshape(-1, 1), boxes.swapaxes(0, 1).reshape(-1, 4)], axis=1)


def _scored(net: Net, photos: NDArray[np.float32], rows: NDArray[np.float32]) -> NDArray[np.float64]:
    for name, values in (("data", photos), ("rois", rows)):
        if net.blobs[name].shape != values.shape:
            net.blobs[name].reshape(*values.shape)
    net.reshape()
    net.blobs["data"].data[...] = photos
    net.blobs["rois"].data[...] = rows
    net.forward_range(0, len(net.steps) - 1)
    return net.blobs["y"].data.astype(np.float64)
