"""Cells of annotations: 1, 0, -1 or nothing, and what they say about a label."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.reading import Reading
from caffe_compat.srn.datasets.samples import ABSENT, PRESENT, UNKNOWN

ONE, ZERO, MINUS_ONE, EMPTY = "1", "0", "-1", ""
#: Kinds that formats give themselves: a label that a list does not hold, and a label that is said to be unknown.
NOT_LISTED, UNSURE = "not listed", "unsure"

_WORDS = {
    **dict.fromkeys(("true", "yes", "t", "y"), ONE),
    **dict.fromkeys(("false", "no", "f", "n"), ZERO),
    **dict.fromkeys(("", "nan", "null", "none", "na", "n/a"), EMPTY),
}
_NUMBERS = {1.0: ONE, 0.0: ZERO, -1.0: MINUS_ONE}
_SHOWN = 80  # characters of a cell in a message


class Seen(NamedTuple):
    """How many cells of a kind there are, and where the first one stands."""

    cells: int
    first: str


class Convention(NamedTuple):
    """What -1 and empty cells mean in a published dataset, which its label names give away."""

    dataset: str
    labels: frozenset[str]
    telling: frozenset[str]  # at least one of these must occur; the others are names that anybody may use
    minus_one: str
    empty: str

    def holds_for(self, class_names: Sequence[str]) -> bool:
        """Whether labels of these names are most likely the dataset's."""
        return self.labels.issuperset(class_names) and not self.telling.isdisjoint(class_names)


class CellValues(NamedTuple):
    """Label values by kind of cell, and notes on what was decided."""

    values: Mapping[str, int]
    notes: Sequence[str]


_CHEXPERT = frozenset(
    {
        "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion", "Edema",
        "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion", "Pleural Other",
        "Fracture", "Support Devices",
    }
)  # fmt: skip
_VOC = frozenset(
    {
        "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
        "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
    }
)  # fmt: skip
_VOC_ALONE = frozenset({"aeroplane", "diningtable", "pottedplant", "tvmonitor"})
CONVENTIONS = (
    Convention("CheXpert", _CHEXPERT, _CHEXPERT, minus_one="unknown", empty="absent"),
    Convention("PASCAL VOC", _VOC, _VOC_ALONE, minus_one="absent", empty="absent"),
)


def token_of(cell: str, owner: str, label: str) -> str:
    """The kind of a cell: ONE, ZERO, MINUS_ONE or EMPTY. Raises DataError for any other text."""
    token = find_token(cell)
    if token is None:
        raise DataError(
            f"{owner}: expected 1, 0, -1, true, false or nothing for label '{label}', found '{cell[:_SHOWN]}'; "
            "--not-labels leaves out columns that are no labels"
        )
    return token


@lru_cache(maxsize=4096)
def find_token(cell: str) -> str | None:
    """The kind of a cell, or None if it is no label value."""
    text = cell.strip().lower()
    if text in _WORDS:
        return _WORDS[text]
    try:
        return _NUMBERS.get(float(text))
    except ValueError:
        return None


def decide_meaning(seen: Mapping[str, Seen], class_names: Sequence[str], reading: Reading) -> CellValues:
    """What each kind of cell means in annotations in which the kinds of `seen` occur.

    Raises DataError where the cells can be read in two ways and no flag decides.
    """
    convention = next((known for known in CONVENTIONS if known.holds_for(class_names)), None)
    minus_one = reading.minus_one or _minus_one(seen, convention)
    empty = reading.empty or _empty(seen, convention, minus_one)
    zero = UNKNOWN if minus_one == "absent" and MINUS_ONE in seen else ABSENT
    words = {"absent": ABSENT, "unknown": UNKNOWN}
    values = {
        ONE: PRESENT,
        ZERO: zero,
        MINUS_ONE: words[minus_one],
        EMPTY: words[empty],
        NOT_LISTED: ABSENT,
        UNSURE: UNKNOWN,
    }
    return CellValues(values, list(_notes(seen, values, convention)))


def _minus_one(seen: Mapping[str, Seen], convention: Convention | None) -> str:
    if MINUS_ONE not in seen or (ZERO not in seen and EMPTY not in seen):
        return "absent"
    if convention:
        return convention.minus_one
    other = "0" if ZERO in seen else "an empty cell"
    raise DataError(
        f"{seen[MINUS_ONE].first}: -1 can be read in two ways: absent, with {other} for unknown, as PASCAL VOC has it, "
        f"or unknown, with {other} for absent, as CheXpert has it; give --minus-one absent or --minus-one unknown"
    )


def _empty(seen: Mapping[str, Seen], convention: Convention | None, minus_one: str) -> str:
    if EMPTY not in seen or (ZERO not in seen and MINUS_ONE not in seen):
        return "absent"
    if convention:
        return convention.empty
    if ZERO not in seen:
        return "unknown" if minus_one == "absent" else "absent"
    raise DataError(
        f"{seen[EMPTY].first}: a label without a value, where others have 0, can be read in two ways: absent, or "
        "unknown (left out of the loss and of evaluation); give --empty absent or --empty unknown"
    )


def _notes(seen: Mapping[str, Seen], values: Mapping[str, int], convention: Convention | None) -> Sequence[str]:
    called = {ZERO: "0", MINUS_ONE: "-1", EMPTY: "an empty cell"}
    words = {ABSENT: "absent", UNKNOWN: "unknown"}
    told = [
        f"{name} means {words[values[token]]} ({seen[token].cells:,} cells)"
        for token, name in called.items()
        if token in seen and (token != ZERO or values[ZERO] == UNKNOWN)
    ]
    if not told:
        return []
    return [", ".join(told) + (f", as in {convention.dataset}" if convention else "")]
