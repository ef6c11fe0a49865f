"""What a source of items is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from caffe_compat.data.draws import Draws

Record = TypeVar("Record")


class Item(NamedTuple):
    """One example before its transform: pixels (height, width, channels), and one label or several."""

    pixels: NDArray[Any]
    label: float | NDArray[np.float32]


class Source(ABC, Generic[Record]):
    """Numbered records. Finding a record is apart from decoding it, which any thread may do."""

    #: How many random numbers `load` may use for one record.
    draws_per_item = 0

    @abstractmethod
    def __len__(self) -> int:
        """The number of records."""

    @abstractmethod
    def fetch(self, ordinals: Sequence[int]) -> list[Record]:
        """The records of these numbers, not decoded yet; called by one thread, in order."""

    @abstractmethod
    def load(self, record: Record, draws: Draws) -> Item:
        """The item of a record, decoded; called by any thread."""

    def first(self) -> Item:
        """The first record, from which nets learn their shapes."""
        return self.load(self.fetch([0])[0], Draws([0] * self.draws_per_item))

    def check(self) -> None:
        """Reads and decodes every record; DataError at the first that cannot be used. Sources that draw do nothing."""
        for ordinal in range(len(self)):
            self.load(self.fetch([ordinal])[0], Draws([0] * self.draws_per_item))

    def close(self) -> None:
        """Closes files."""
