"""Label paths as a tree beside the photo."""

import numpy as np

from caffe_compat.srn.prediction.label_paths import LabelPath
from caffe_compat.srn.prediction.path_figure import draw_paths, tree_nodes

NAMES = ["person", "dog", "a $label$ with a long name", "sky"]
NOTHING = np.zeros(4)
PATHS = [
    LabelPath((0, 1), (0.5, 0.4, 0.9), NOTHING, ended=True),
    LabelPath((0, 2), (0.5, 0.3, 0.8), NOTHING, ended=True),
    LabelPath((0,), (0.5, 0.2), NOTHING, ended=True),
    LabelPath((), (0.05,), NOTHING, ended=True),
]


def test_paths_that_begin_alike_share_their_first_labels():
    assert tree_nodes(PATHS) == {(): (0, 0), (0,): (1, 0), (0, 1): (2, 0), (0, 2): (2, 1)}


def test_each_label_is_written_once_with_its_probability_and_true_ones_are_red():
    picture = np.full((20, 30, 3), 0.5, np.float32)
    figure = draw_paths(picture, PATHS, NAMES, true=[1])
    tree = figure.axes[1]
    texts = {text.get_text().replace("\n", " "): text for text in tree.texts}
    assert sorted(texts) == sorted(
        [
            "person 0.50",
            "dog 0.40",
            "a $label$ with a long name 0.30",
            "start",
            "path 0.180",
            "path 0.120",
            "path 0.100",
            "path 0.050",
        ]
    )
    assert len(tree.texts) == len(texts)
    assert texts["dog 0.40"].get_color() == "#c00018" != texts["person 0.50"].get_color()
    widths = [line.get_linewidth() for line in tree.lines]
    assert widths.count(2.0) == 3  # start to person, to dog, to the end
    assert len(widths) == 3 + 2 + 1 + 1  # what a path shares with one above is not drawn again
    figure.draw_without_rendering()


def test_a_single_path_without_labels_is_drawn():
    figure = draw_paths(np.zeros((9, 7, 3), np.float32), PATHS[3:], NAMES)
    assert {text.get_text() for text in figure.axes[1].texts} == {"start", "path 0.050"}
