"""The order of reading records: Caffe's cursor, which restarts at the end, or a new permutation per epoch."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Ordinals = NDArray[np.int64]


class Order:
    """Record numbers by position: a function of (seed, length, position), so that only the position must be saved.

    Layers with equal length and seed get equal permutations. An image source and its label source therefore stay in
    step when shuffled, in every process and after every resume.
    """

    def __init__(
        self, length: int, seed: int = 0, shuffle: bool = False, rank: int = 0, world_size: int = 1, skip: int = 0
    ) -> None:
        self._length = length
        self.seed = seed
        self._shuffle = shuffle
        self._rank = rank
        self._world_size = world_size
        self.skip = skip

    def place(self, item: int) -> int:
        """The position of this process's item in the endless sequence that all processes share round-robin."""
        return self.skip + item * self._world_size + self._rank

    def ordinals(self, first: int, count: int) -> list[int]:
        """The record numbers of this process's items first, first + 1, ..., `count` of them."""
        places = self.skip + np.arange(first, first + count, dtype=np.int64) * self._world_size + self._rank
        epochs, within = np.divmod(places, self._length)
        if not self._shuffle:
            return list(within.tolist())
        for epoch in np.unique(epochs).tolist():
            now = epochs == epoch
            within[now] = permutation(self._length, self.seed, epoch)[within[now]]
        return list(within.tolist())


@lru_cache(maxsize=4)  # layers in step share an array, and a batch across an epoch's end needs two
def permutation(length: int, *seed: int) -> Ordinals:
    """All numbers below `length` in a seeded random order; ten million take 40 MB and under a second."""
    kind = np.uint32 if length < 2**32 else np.int64
    return np.random.default_rng(seed).permutation(np.arange(length, dtype=kind))


def random_skip(limit: int, seed: int) -> int:
    """The number of records that rand_skip skips, below `limit`; layers with equal seeds skip equally many."""
    return int(np.random.default_rng((seed, limit)).integers(limit)) if limit else 0
