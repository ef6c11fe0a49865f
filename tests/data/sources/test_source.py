"""What sources have in common."""

from collections.abc import Sequence

from caffe_compat.data.draws import Draws
from caffe_compat.data.sources.source import Item, Source
from tests.data.made_files import picture


class Drawn(Source[int]):
    """Labels from draws."""

    draws_per_item = 2

    def __len__(self) -> int:
        return 1

    def fetch(self, ordinals: Sequence[int]) -> list[int]:
        return list(ordinals)

    def load(self, record: int, draws: Draws) -> Item:
        return Item(picture(2, 3), float(draws.below(5) + draws.below(5)))


def test_the_first_item_takes_no_random_numbers() -> None:
    source = Drawn()
    assert source.first().label == 0
    source.close()
