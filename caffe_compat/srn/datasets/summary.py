"""What a prepared dataset holds: counts of images, labels and of what was left out, as a table and as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caffe_compat.srn.datasets.label_statistics import LabelStatistics
from caffe_compat.srn.datasets.progress import WrittenSoFar

NAME = "summary.json"
SHOWN = 300  # characters of label names on a terminal


@dataclass(frozen=True)
class SplitSummary:
    """A split that is complete.

    `published` is how many images the paper's authors had, if that is known. `side` is the height and width of the
    pictures in its image LMDB, in pixels; 0 if each keeps its own, or there is no such LMDB.
    """

    progress: WrittenSoFar
    statistics: LabelStatistics
    published: int | None
    side: int = 0


@dataclass(frozen=True)
class Summary:
    """All splits of one dataset.

    `stored` names where pictures are: lmdb, folder or both. `unknown_labels` says whether label files and LMDBs have
    -1 for unknown labels. `notes` say how the annotations were read.
    """

    dataset: str
    class_names: Sequence[str]
    splits: Mapping[str, SplitSummary]
    stored: Sequence[str] = ("lmdb",)
    unknown_labels: bool = False
    notes: Sequence[str] = ()


def write_summary(summary: Summary, folder: Path) -> None:
    """Write summary.json, from which the generator takes labels, counts and sizes."""
    content = {
        "dataset": summary.dataset,
        "labels": len(summary.class_names),
        "stored": list(summary.stored),
        "unknown labels": summary.unknown_labels,
        "notes": [note.encode("utf-8", "backslashreplace").decode() for note in summary.notes],  # names may be no text
        "splits": {name: _split(split, summary.class_names) for name, split in summary.splits.items()},
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (folder / NAME).write_text(f"{text}\n", encoding="utf-8", errors="backslashreplace")


def _split(split: SplitSummary, class_names: Sequence[str]) -> dict[str, Any]:
    return {
        "images": split.progress.kept,
        "side": split.side,
        "published": split.published,
        "left out": split.progress.left_out,
        "changed": split.progress.changed,
        "without labels": split.statistics.unlabelled,
        "labels per image": round(split.statistics.labels_per_image, 4),
        "label counts": dict(zip(class_names, split.statistics.counts.tolist(), strict=True)),
        "unknown counts": dict(zip(class_names, split.statistics.unknown.tolist(), strict=True)),
    }


def terminal_lines(folder: Path) -> Iterator[str]:
    """The summary of a prepared folder for people: notes, and a few lines per split."""
    content = json.loads((folder / NAME).read_text(encoding="utf-8"))
    yield from (f"note: {note}" for note in content["notes"])
    names = ", ".join(next(iter(content["splits"].values()))["label counts"])
    yield f"labels: {names if len(names) <= SHOWN else names[:SHOWN] + ' ...'} ({content['labels']})"
    for name, split in content["splits"].items():
        yield f"{name}: {split['images']:,} images, {split['labels per image']:.2f} of {content['labels']} labels each"
        yield from _published(split)
        for what in ("left out", "changed"):
            if split[what]:
                counted = ", ".join(f"{number:,} {kind}" for kind, number in sorted(split[what].items()))
                yield f"  {what}: {counted} (why: {name}_report.tsv)"
        if split["without labels"]:
            yield f"  without labels: {split['without labels']:,} (which: {name}_unlabelled.txt)"
        if unknown := sum(split["unknown counts"].values()):
            yield f"  unknown labels: {unknown:,}, of {sum(map(bool, split['unknown counts'].values()))} classes"
        if never := [label for label, number in split["label counts"].items() if number == 0]:
            yield f"  labels that no image has: {', '.join(never)}"


def _published(split: dict[str, Any]) -> Iterator[str]:
    if split["published"] is not None:
        relation = "as many as" if split["images"] == split["published"] else "not as many as"
        yield f"  {relation} the paper's authors had ({split['published']:,})"
