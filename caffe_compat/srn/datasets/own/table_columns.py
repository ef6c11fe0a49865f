"""Which column of a table is the image, which are labels, and which tells the splits apart."""

from collections.abc import Sequence
from typing import NamedTuple

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.image_header import has_image_suffix
from caffe_compat.srn.datasets.own.cells import CONVENTIONS, EMPTY, find_token
from caffe_compat.srn.datasets.own.reading import Reading
from caffe_compat.srn.datasets.own.rows import SPLIT_WORDS

IMAGE = {
    "image", "images", "image_name", "imagename", "image_path", "image_file", "img", "img_name", "img_path", "file",
    "file_name", "filename", "filepath", "file_path", "path", "photo", "picture",
}  # fmt: skip
LABEL_LISTS = {
    "label", "labels", "tag", "tags", "class", "classes", "category", "categories", "labelname", "label_name",
    "class_name", "attributes", "finding_labels", "concepts",
}  # fmt: skip
VALUES = {"value", "confidence", "present", "presence", "score"}
SPLIT = {"split", "split_name", "set", "subset", "partition", "phase", "fold"}
#: Columns of published tables that are no labels.
METADATA = {"CheXpert": {"sex", "age", "frontal/lateral", "ap/pa"}}


class Columns(NamedTuple):
    """Positions of columns. `names` belong to `labels`; with a `value` column, `labels` is one column of names.

    `split` and `value` are -1 where there is no such column. `has_header` is False where the first line is a row.
    """

    image: int
    labels: Sequence[int]
    names: Sequence[str]
    split: int = -1
    value: int = -1
    has_header: bool = True
    left_out: Sequence[str] = ()

    @property
    def one_list(self) -> bool:
        """Whether one column is left for labels, so that its cells may hold names."""
        return len(self.labels) == 1


def decide_columns(path: str, first: Sequence[str], second: Sequence[str], reading: Reading) -> Columns:
    """The columns of a table from its first two lines. Raises DataError if no column is left for labels."""
    if len(first) < 2:
        raise DataError(
            f"{path}: expected a header with an image column and at least one more, found {len(first)} columns; "
            "columns are separated by commas, semicolons or tabs"
        )
    if has_image_suffix(first[0]):
        return Columns(0, range(1, len(first)), [str(number) for number in range(len(first) - 1)], has_header=False)
    header = [name.strip() for name in first]
    keys = [_key(name) for name in header]
    split = _split_column(keys, second)
    image = _image_column(keys, split)
    rest = [place for place in range(len(header)) if place not in (image, split)]
    labels, value = _choose(path, header, _without_others(path, header, rest, reading), second)
    left_out = [header[place] for place in rest if place not in (*labels, value)]
    return Columns(image, labels, [header[place] for place in labels], split, value, left_out=left_out)


def _split_column(keys: Sequence[str], row: Sequence[str]) -> int:
    """A column of that name, if the first row has the name of a split there."""
    words = {word for spelled in SPLIT_WORDS.values() for word in spelled}
    found = (n for n, key in enumerate(keys) if key in SPLIT and n < len(row) and row[n].strip().lower() in words)
    return next(found, -1)


def _image_column(keys: Sequence[str], split: int) -> int:
    """The first column with a telling name, else the first of all."""
    telling = (place for place, key in enumerate(keys) if key in IMAGE and place != split)
    return next(telling, 0 if split else 1)


def _without_others(path: str, header: Sequence[str], places: Sequence[int], reading: Reading) -> list[int]:
    """The places without those that the user, or a published table, says are no labels."""
    unknown = [name for name in reading.not_labels if name not in header]
    if unknown:
        raise DataError(f"{path}: --not-labels names '{unknown[0]}', found columns {', '.join(header)[:200]}")
    others = {name.lower() for name in reading.not_labels}
    for known in CONVENTIONS:
        if not known.telling.isdisjoint(header):
            others |= METADATA.get(known.dataset, set())
    left = [place for place in places if header[place].lower() not in others]
    if not left:
        raise DataError(f"{path}: expected at least one column of labels, found none; columns: {', '.join(header)}")
    return left


def _choose(path: str, header: Sequence[str], places: Sequence[int], row: Sequence[str]) -> tuple[list[int], int]:
    """Columns of labels, and the column of their values or -1."""
    lists = [place for place in places if _key(header[place]) in LABEL_LISTS]
    values = [place for place in places if _key(header[place]) in VALUES]
    if len(lists) == 1 and len(values) == 1:
        return lists, values[0]
    if len(lists) != 1 or len(places) == 1 or _is_value(row, lists[0]):
        return list(places), -1
    others = [place for place in places if place != lists[0]]
    value = next((place for place in others if _is_value(row, place)), None)
    if value is not None:
        raise DataError(
            f"{path}: column '{header[lists[0]]}' lists labels, while '{header[value]}' holds '{row[value][:40]}', a "
            f"label value; leave out what is no label: --not-labels {header[lists[0]]}, or --not-labels "
            f"{' '.join(header[place] for place in others)[:200]}"
        )
    return lists, -1


def _key(name: str) -> str:
    return name.lower().replace(" ", "_")


def _is_value(row: Sequence[str], place: int) -> bool:
    return place < len(row) and find_token(row[place]) not in (None, EMPTY)
