"""Tables 1, 2 and 3 of the paper, in per cent; None where the paper has no number."""

from typing import NamedTuple

Numbers = tuple[float | None, ...]

_ALL = ("mAP", "F1-C", "P-C", "R-C", "F1-O", "P-O", "R-O")
_TOP = ("F1-C", "P-C", "R-C", "F1-O", "P-O", "R-O")
_NONE: Numbers = (None,) * len(_ALL)


class PaperTable(NamedTuple):
    """A table: the dataset, its columns as names of figures, and the numbers of each row.

    `columns` name figures as `srn/metrics` does; `top` is how the table's top-3 figures are counted there.
    """

    dataset: str
    columns: tuple[str, ...]
    rows: dict[str, Numbers]

    @property
    def top(self) -> str:
        """The block of top-3 figures: "top3", "top3+filter", or "" for a table without them."""
        return self.columns[-1].rpartition(" ")[0]


def _with_top(block: str) -> tuple[str, ...]:
    return (*_ALL, *(f"{block} {name}" for name in _TOP))


PAPER_TABLES = {
    "1": PaperTable(
        "nus_wide",
        _with_top("top3"),
        {
            "KNN": (*_NONE, 24.3, 32.6, 19.3, 47.6, 42.9, 53.4),
            "WARP": (*_NONE, 33.5, 31.7, 35.6, 53.9, 48.6, 60.5),
            "CNN-RNN": (*_NONE, 34.7, 40.5, 30.4, 55.2, 49.9, 61.7),
            "ResNet-101": (59.8, 55.7, 65.8, 51.9, 72.5, 75.9, 69.5, 47.0, 46.9, 56.8, 61.7, 55.8, 69.1),
            "ResNet-107": (59.5, 55.6, 65.4, 52.2, 72.6, 75.5, 70.0, 46.9, 46.7, 56.8, 61.8, 55.9, 69.2),
            "ResNet-101-semantic": (60.1, 54.9, 69.3, 48.6, 72.6, 76.9, 68.8, 47.0, 46.4, 55.3, 61.8, 55.9, 69.2),
            "ResNet-SRN-att": (61.8, 56.9, 67.5, 52.5, 73.2, 76.5, 70.1, 47.7, 47.4, 57.7, 62.2, 56.2, 69.6),
            "ResNet-SRN": (62.0, 58.5, 65.2, 55.8, 73.4, 75.5, 71.5, 48.9, 48.2, 58.9, 62.2, 56.2, 69.6),
        },
    ),
    "2": PaperTable(
        "coco",
        _with_top("top3+filter"),
        {
            "WARP": (*_NONE, 55.7, 59.3, 52.5, 60.7, 59.8, 61.4),
            "CNN-RNN": (*_NONE, 60.4, 66.0, 55.6, 67.8, 69.2, 66.4),
            "ResNet-101": (75.2, 69.5, 80.8, 63.4, 74.4, 82.2, 68.0, 65.9, 84.3, 57.4, 71.7, 86.5, 61.3),
            "ResNet-107": (75.4, 69.7, 80.9, 63.7, 74.5, 82.1, 68.2, 66.1, 84.4, 57.6, 71.8, 86.4, 61.4),
            "ResNet-101-semantic": (75.5, 69.9, 81.1, 63.8, 74.8, 82.1, 68.6, 66.2, 84.3, 57.7, 72.0, 86.3, 61.8),
            "ResNet-SRN-att": (76.1, 70.0, 81.2, 63.3, 75.0, 84.1, 67.7, 66.3, 85.8, 57.5, 72.1, 88.1, 61.1),
            "ResNet-SRN": (77.1, 71.2, 81.6, 65.4, 75.8, 82.7, 69.9, 67.4, 85.2, 58.8, 72.9, 87.4, 62.5),
        },
    ),
    "3": PaperTable(
        "wider_att",
        ("mAP", "F1-C", "F1-O"),
        {
            "R-CNN": (80.0, None, None),
            "R*CNN": (80.5, None, None),
            "DHC": (81.3, None, None),
            "ResNet-101": (85.0, 74.7, 80.4),
            "ResNet-107": (85.0, 74.8, 80.6),
            "ResNet-101-semantic": (85.1, 74.8, 80.5),
            "ResNet-SRN-att": (85.4, 74.9, 80.8),
            "ResNet-SRN": (86.2, 75.9, 81.3),
        },
    ),
}
