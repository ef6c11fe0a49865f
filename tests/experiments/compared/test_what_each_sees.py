"""What each method of table 3 can tell: the box, what lies beside it, the people near, the scene."""

from typing import NamedTuple

import numpy as np
import pytest

from caffe_compat.experiments.arms import Setting
from caffe_compat.experiments.compared.method import Budget
from caffe_compat.experiments.compared.people_scenes import CLASS_NAMES, FORM, GROUPS, people_in, write_people_scenes
from caffe_compat.experiments.compared.rows import ROWS
from caffe_compat.srn.metrics.datasets import DATASETS
from caffe_compat.srn.metrics.measurement import measure
from caffe_compat.srn.metrics.text_matrices import read_labels

PHOTOGRAPHS = {"train": 100, "val": 10, "test": 120}
#: AP in points within which a method cannot tell a group of attributes from chance, which is their frequency.
CHANCE = 12


class Told(NamedTuple):
    """AP of each group of attributes in per cent above their frequency."""

    box: float
    beside: float
    near: float
    scene: float


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Trains the three rows, R-CNN and R*CNN for fewer epochs, because the scene takes longest to learn."""
    folder = tmp_path_factory.mktemp("people")
    write_people_scenes(folder / "data", PHOTOGRAPHS, 0)
    images = {split: people_in(number) for split, number in PHOTOGRAPHS.items()}
    options = {"backbone": "narrow", "width": 16}
    setting = Setting(images, len(CLASS_NAMES), FORM.crop_side, 16, options, clip_gradients=10, validations=1)
    return {
        key: _told(ROWS[key], folder / key, Budget(setting, epochs, 0.05))
        for key, epochs in (("r_cnn", 2), ("r_star_cnn", 2), ("dhc", 8))
    }


def _told(method, folder, budget):
    run = method.train(folder, 0, budget)
    labels = read_labels(run.files("test").labels)
    ap = measure(method.name, labels, method.predict(run), DATASETS["own"]).ap
    return Told(*(100 * float(np.mean(ap[part] - labels[:, part].mean(0))) for part in GROUPS.values()))


@pytest.mark.slow
def test_r_cnn_tells_what_the_box_decides_and_nothing_else(told):
    assert told["r_cnn"].box > 25
    assert max(abs(points) for points in told["r_cnn"][1:]) < CHANCE


@pytest.mark.slow
def test_r_star_cnn_tells_what_lies_beside_too(told):
    assert told["r_star_cnn"].box > 25
    assert told["r_star_cnn"].beside > told["r_cnn"].beside + 20
    assert abs(told["r_star_cnn"].scene) < CHANCE


@pytest.mark.slow
def test_dhc_tells_the_people_near_and_the_scene_but_not_what_lies_beside(told):
    assert told["dhc"].box > 25
    assert told["dhc"].near > told["r_cnn"].near + 10
    assert told["dhc"].scene > 25
    assert abs(told["dhc"].beside) < CHANCE
