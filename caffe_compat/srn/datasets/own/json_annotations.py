"""Annotations in one JSON file: MS-COCO's form, a list of objects, or an object from names to labels."""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.coco import read_instances, thinned
from caffe_compat.srn.datasets.json_file import read_json
from caffe_compat.srn.datasets.own.json_entries import Entry, entry_of, format_of
from caffe_compat.srn.datasets.own.reading import Reading
from caffe_compat.srn.datasets.own.rows import OwnFormat, OwnRow, listed

_MEMBERS = {"images", "annotations", "categories"}


def read_json_annotations(path: Path, reading: Reading) -> OwnFormat:
    """The rows of a file that is held in memory. Raises DataError or FormatError for content of another form."""
    content = read_json(path, each_pairs=partial(_thinned, path))
    if isinstance(content, Mapping) and content.keys() >= _MEMBERS:
        return _instances(path, content, reading)
    if isinstance(content, list):
        listing = [entry_of(entry, f"{path}: entry {number}") for number, entry in enumerate(content)]
        return format_of(partial(iter, listing), path, reading)
    if isinstance(content, Mapping) and not _MEMBERS & content.keys():
        mapping = [Entry(f"{path}: '{name[:80]}'", name, labels) for name, labels in content.items()]
        return format_of(partial(iter, mapping), path, reading)
    found = f" with {', '.join(content)[:120]}" if isinstance(content, Mapping) else ""
    raise DataError(
        f"{path}: expected MS-COCO's members images, annotations and categories, a list of objects with an image and "
        f"labels, or an object from image names to labels; found {type(content).__name__}{found}"
    )


def _thinned(path: Path, pairs: list[tuple[str, Any]]) -> Any:
    """What `thinned` makes of an object. Raises DataError if a key comes twice: its first value would be lost."""
    found = dict(pairs)
    if len(found) != len(pairs):
        key = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise DataError(
            f"{path}: expected each key of an object once, found '{key[:80]}' more than once; give images of several "
            'entries as a list: [{"image": "a.jpg", "labels": ["cat"]}]'
        )
    return thinned(found)


def _instances(path: Path, content: object, reading: Reading) -> OwnFormat:
    instances = read_instances(path, content, crowds=reading.crowd != "drop")
    unlabelled = sum(identifier not in instances.present for identifier in instances.images)
    notes = [f"MS-COCO's form: {len(instances.images):,} images, {unlabelled:,} of them without labels"]
    if instances.crowds:
        verdict = "left out" if reading.crowd == "drop" else "taken as labels (--crowd drop leaves them out)"
        notes.append(f"crowd annotations: {instances.crowds:,}, {verdict}")

    def rows() -> Iterator[OwnRow]:
        for identifier, name in instances.images.items():
            labels = [instances.categories[category] for category in sorted(instances.present.get(identifier, ()))]
            yield OwnRow(f"{path}: image {identifier}", name, listed(labels))

    return OwnFormat(rows, list(instances.categories.values()), path.parent, notes)
