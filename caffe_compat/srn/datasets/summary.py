"""What a prepared dataset holds: counts of images, labels and of what was left out, as a table and as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caffe_compat.srn.datasets.label_statistics import LabelStatistics, count_labels
from caffe_compat.srn.datasets.layout import SplitFiles
from caffe_compat.srn.datasets.progress import Progress

NAME = "summary.json"


@dataclass(frozen=True)
class SplitSummary:
    """`published` is how many images the paper's authors had, if that is known."""

    progress: Progress
    statistics: LabelStatistics
    published: int | None


@dataclass(frozen=True)
class Summary:
    """Of all splits of one dataset."""

    dataset: str
    class_names: Sequence[str]
    splits: Mapping[str, SplitSummary]


def summarise(files: SplitFiles, progress: Progress, labels: int, published: int | None) -> SplitSummary:
    """Count the label file of a split that is complete."""
    return SplitSummary(progress, count_labels(files.labels, labels), published)


def write_summary(summary: Summary, folder: Path) -> None:
    """Write summary.json."""
    content = {
        "dataset": summary.dataset,
        "labels": len(summary.class_names),
        "splits": {name: _split(split, summary.class_names) for name, split in summary.splits.items()},
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (folder / NAME).write_text(f"{text}\n", encoding="utf-8")


def _split(split: SplitSummary, class_names: Sequence[str]) -> dict[str, Any]:
    return {
        "images": split.progress.kept,
        "published": split.published,
        "left out": split.progress.left_out,
        "changed": split.progress.changed,
        "labels per image": round(split.statistics.labels_per_image, 4),
        "label counts": dict(zip(class_names, split.statistics.counts.tolist(), strict=True)),
    }


def terminal_lines(folder: Path) -> Iterator[str]:
    """The summary of a prepared folder for people: a few lines a split."""
    content = json.loads((folder / NAME).read_text(encoding="utf-8"))
    for name, split in content["splits"].items():
        yield f"{name}: {split['images']:,} images, {split['labels per image']:.2f} of {content['labels']} labels each"
        yield from _published(split)
        for what in ("left out", "changed"):
            if split[what]:
                counted = ", ".join(f"{number:,} {kind}" for kind, number in sorted(split[what].items()))
                yield f"  {what}: {counted} (why: {name}_report.tsv)"
        if never := [label for label, number in split["label counts"].items() if number == 0]:
            yield f"  labels that no image has: {', '.join(never)}"


def _published(split: dict[str, Any]) -> Iterator[str]:
    if split["published"] is not None:
        relation = "as many as" if split["images"] == split["published"] else "not as many as"
        yield f"  {relation} the paper's authors had ({split['published']:,})"
