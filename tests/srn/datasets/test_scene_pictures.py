import numpy as np

from caffe_compat.srn.datasets.digits import digits_of
from caffe_compat.srn.datasets.scene_pictures import CELL, draw_picture
from caffe_compat.srn.datasets.scene_rules import PlacedDigit, SceneRules


def brightness(picture, box):
    return picture[box.top : box.top + box.height, box.left : box.left + box.width].mean()


def test_digits_lie_in_their_boxes_near_their_cells_and_are_faint_when_degraded():
    scene = [PlacedDigit(3, 0, 1, ()), PlacedDigit(8, 2, 3, (), degraded=True), PlacedDigit(6, 3, 0, ())]
    digits, random = digits_of("test"), np.random.default_rng(3)
    bright = np.zeros(3)
    for _ in range(40):
        picture, boxes = draw_picture(scene, digits, SceneRules(), random)
        assert (picture.shape, picture.dtype) == ((96, 96, 3), np.dtype(np.uint8))
        for placed, box in zip(scene, boxes, strict=True):
            assert abs(box.left - CELL * placed.column) <= 6
            assert abs(box.top - CELL * placed.row) <= 6
            assert min(box.left, box.top, 96 - box.left - box.width, 96 - box.top - box.height) >= 0
        bright += [brightness(picture, box) - picture[26:46, 2:22].mean() for box in boxes]

    assert min(bright) > 0
    assert bright[1] < 0.7 * min(bright[0], bright[2])
