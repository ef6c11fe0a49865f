import numpy as np

from caffe_compat.srn.datasets.digits import digits_of
from caffe_compat.srn.datasets.layout import SPLITS


def test_splits_are_disjoint_and_together_hold_every_digit_once():
    by_split = {split: digits_of(split) for split in SPLITS}

    assert sum(len(digits) for classes in by_split.values() for digits in classes) == 1797
    for digit in range(10):
        drawn = [{pixels.tobytes() for pixels in by_split[split][digit]} for split in SPLITS]
        assert all(len(pixels) >= 25 for pixels in drawn)
        assert sum(map(len, drawn)) == len(set.union(*drawn))


def test_pixels_lie_between_0_and_1():
    pixels = np.concatenate(digits_of("val"))

    assert (pixels.min(), pixels.max(), pixels.shape[1:]) == (0, 1, (8, 8))
