"""scikit-learn's 1,797 handwritten digits (8 x 8, by 43 people), divided so that no digit is in two splits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from caffe_compat.srn.datasets.layout import SPLITS

Digits = list[NDArray[np.float32]]  # for each of 0..9 the digits (number, 8, 8), in 0..1

#: Which part of each class goes to which split.
SHARES = {"train": 0.6, "val": 0.15, "test": 0.25}
_DEAL = 2017  # seed of the division, the same for every dataset, so that test digits stay unseen


def digits_of(split: str) -> Digits:
    """The digits of a split, by class."""
    from sklearn.datasets import load_digits  # a late import: it takes most of a second, and few data sets need it

    every = load_digits()
    pixels = (every.images / 16).astype(np.float32)
    return [_deal(pixels[every.target == digit], digit)[split] for digit in range(10)]


def _deal(pixels: NDArray[np.float32], digit: int) -> dict[str, NDArray[Any]]:
    order = np.random.default_rng([_DEAL, digit]).permutation(len(pixels))
    ends = np.cumsum([int(SHARES[split] * len(pixels)) for split in SPLITS[:-1]])
    return dict(zip(SPLITS, np.split(pixels[order], ends), strict=True))
