"""Which column of a table is the image, which are labels, and which tells the splits apart."""

import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

from caffe_compat.errors import DataError, some_of
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
#: Names of the column in which pandas numbers rows.
_INDEX = re.compile(r"(unnamed: \d+)?")


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


def decide_columns(
    path: str, first: Sequence[str], sample: Sequence[Sequence[str]], reading: Reading, named_rows: bool = False
) -> Columns:
    """The columns of a table from its first line and a sample of the others.

    `named_rows` says that the user names rows of a split column. Raises DataError if no column is left for labels.
    """
    if len(first) < 2:
        raise DataError(
            f"{path}: expected a header with an image column and at least one more, found {len(first)} columns; "
            "columns are separated by commas, semicolons or tabs"
        )
    if has_image_suffix(first[0]):
        return Columns(0, range(1, len(first)), [str(number) for number in range(len(first) - 1)], has_header=False)
    if not sample:
        raise DataError(f"{path}: expected a row per image below the header, found none")
    header = [name.strip() for name in first]
    unknown = [name for name in reading.not_labels if name not in header]
    if unknown:
        raise DataError(f"{path}: --not-labels names '{unknown[0]}', found columns {', '.join(header)[:200]}")
    cells = [[row[place].strip() for row in sample if place < len(row)] for place in range(len(header))]
    split = _split_column(path, header, cells, reading, named_rows)
    image = _image_column(header, cells, split)
    rest = [place for place in range(len(header)) if place not in (image, split)]
    labels, value = _choose(path, header, _without_others(path, header, rest, reading), cells)
    left_out = [header[place] for place in rest if header[place] and place not in (*labels, value)]
    return Columns(image, labels, [header[place] for place in labels], split, value, left_out=left_out)


def _split_column(
    path: str, header: Sequence[str], cells: Sequence[Sequence[str]], reading: Reading, named_rows: bool
) -> int:
    """A column of that name, or -1. Raises DataError if its cells name no split and the user names no rows."""
    words = {word for spelled in SPLIT_WORDS.values() for word in spelled}
    found = [n for n, name in enumerate(header) if _key(name) in SPLIT and name not in reading.not_labels]
    telling = next((n for n in found if named_rows or any(cell.lower() in words for cell in cells[n])), -1)
    if found and telling < 0:
        name, values = header[found[0]], sorted(set(cells[found[0]]))
        raise DataError(
            f"{path}: column '{name}' can be read in two ways: it tells splits apart, or is of no use here; it holds "
            f"{', '.join(map(repr, values[:4]))[:120]} in place of train, val or test; name the rows to read, such as "
            f"--train-rows {shlex.quote(values[0])}, or leave the column out: --not-labels {shlex.quote(name)}"
        )
    return telling


def _image_column(header: Sequence[str], cells: Sequence[Sequence[str]], split: int) -> int:
    """The first column with a telling name, else the first of image files, else the first of all."""
    telling = [place for place, name in enumerate(header) if _key(name) in IMAGE and place != split]
    files = (place for place, column in enumerate(cells) if column and all(map(has_image_suffix, column)))
    return telling[0] if telling else next(files, 0 if split else 1)


def _without_others(path: str, header: Sequence[str], places: Sequence[int], reading: Reading) -> list[int]:
    """The places without those that the user, pandas or a published table says are no labels."""
    others = {name.lower() for name in reading.not_labels}
    for known in CONVENTIONS:
        if not known.telling.isdisjoint(header):
            others |= METADATA.get(known.dataset, set())
    named = [(place, header[place].lower()) for place in places]
    left = [place for place, name in named if name not in others and not _INDEX.fullmatch(name)]
    if not left:
        raise DataError(f"{path}: expected at least one column of labels, found none; columns: {some_of(header)}")
    return left


def _choose(
    path: str, header: Sequence[str], places: Sequence[int], cells: Sequence[Sequence[str]]
) -> tuple[list[int], int]:
    """Columns of labels, and the column of their values or -1."""
    lists = [place for place in places if _key(header[place]) in LABEL_LISTS]
    values = [place for place in places if _key(header[place]) in VALUES]
    if len(lists) == 1 and len(values) == 1:
        return lists, values[0]
    if len(lists) != 1 or len(places) == 1 or _are_values(cells[lists[0]]):
        return list(places), -1
    valued = [place for place in places if place != lists[0] and _are_values(cells[place])]
    if valued:
        raise DataError(
            f"{path}: column '{header[lists[0]]}' lists labels, while '{header[valued[0]]}' holds "
            f"'{cells[valued[0]][0][:40]}', a label value; leave out what is no label: --not-labels "
            f"{shlex.quote(header[lists[0]])}, or --not-labels {shlex.join(header[place] for place in valued)[:200]}"
        )
    return lists, -1


def _key(name: str) -> str:
    return name.lower().replace(" ", "_")


def _are_values(column: Sequence[str]) -> bool:
    """Whether cells hold label values, and not all of them nothing."""
    tokens = {find_token(cell) for cell in column}
    return None not in tokens and bool(tokens - {EMPTY})
