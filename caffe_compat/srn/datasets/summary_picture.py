"""The summary as a picture: how often each label occurs, and which occur together."""

import warnings
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from caffe_compat.srn.datasets.summary import SplitSummary, Summary

NAME = "summary.png"
INCHES_PER_LABEL = 0.14
MOST_NAMED = 120  # more names than that could not be read


def write_summary_picture(summary: Summary, folder: Path) -> None:
    """Write summary.png: label frequencies of all splits, and co-occurrence in the first split, the training one."""
    labels = min(len(summary.class_names), MOST_NAMED)
    side = max(6.0, 2.5 + INCHES_PER_LABEL * labels)
    figure = Figure(figsize=(side, 4.0 + side), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(3.5, side))
    _draw_frequencies(summary, above)
    first, split = next(iter(summary.splits.items()))
    image = _draw_together(summary, split, below)
    below.set_title(f"{first}: of the images with the row's label,\nthe share that have the column's too")
    figure.colorbar(image, ax=below, shrink=0.6)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # letters that the font lacks are drawn as boxes
        figure.savefig(folder / NAME, format="png", dpi=110)


def _draw_frequencies(summary: Summary, axes: Axes) -> None:
    width = 0.8 / len(summary.splits)
    for place, (name, split) in enumerate(summary.splits.items()):
        positions = np.arange(len(summary.class_names)) + (place - (len(summary.splits) - 1) / 2) * width
        share = 100 * split.statistics.counts / split.statistics.images
        axes.bar(positions, share, width, label=f"{name}, {split.statistics.images:,} images")
    axes.set_ylabel("images that have the label (%)")
    axes.margins(x=0.01)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(summary.splits))
    _name_labels(axes, summary, "x")


def _draw_together(summary: Summary, split: SplitSummary, axes: Axes) -> AxesImage:
    shares = split.statistics.conditional.copy()
    np.fill_diagonal(shares, np.nan)
    for axis in ("x", "y"):
        _name_labels(axes, summary, axis)
    return axes.imshow(shares, cmap="viridis", vmin=0, interpolation="nearest")


def _name_labels(axes: Axes, summary: Summary, axis: str) -> None:
    names = summary.class_names
    if len(names) <= MOST_NAMED:
        set_ticks = {"x": axes.set_xticks, "y": axes.set_yticks}[axis]
        rotation = 90 if axis == "x" else 0
        set_ticks(range(len(names)), names, fontsize=7, rotation=rotation, parse_math=False)
