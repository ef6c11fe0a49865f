"""A report as a picture: the AP of every class, or for several files the paper's Figure 7."""

import warnings
from pathlib import Path
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from caffe_compat.srn.metrics.comparison import Gains
from caffe_compat.srn.metrics.report import Report

INCHES_PER_CLASS = 0.16
LARGEST_INCHES = 500.0  # 60,000 pixels: what PNG readers still open
TITLE_CHARACTERS = 58  # as many as fit into the narrowest picture
GAIN, LOSS, NEUTRAL = "#1b7837", "#b2182b", "#4d4d4d"


def write_png(report: Report, path: Path) -> None:
    """One file of predictions: AP by class. Several: Figure 7 for each that is compared with the first.

    Figure 7 has two panels, or three where the numbers of training images are known.
    """
    rows = 1 if not report.comparisons else 2 if report.training_counts is None else 3
    panels = rows * max(1, len(report.comparisons))
    width = min(LARGEST_INCHES, max(6.0, 2.0 + INCHES_PER_CLASS * len(report.class_names)))
    figure = Figure(figsize=(width, min(LARGEST_INCHES, 1.0 + 2.6 * panels)), layout="constrained")
    axes = figure.subplots(panels, 1, squeeze=False)[:, 0]
    for number, comparison in enumerate(report.comparisons):
        _draw_comparison(report, comparison, axes[number * rows : (number + 1) * rows])
    if not report.comparisons:
        _draw_average_precision(report, axes[0])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a letter that the font lacks is drawn as a box
        figure.savefig(path, format="png", dpi=120)


def _draw_comparison(report: Report, comparison: Gains, axes: NDArray[np.object_]) -> None:
    """The gain in AP of each class, and below it what may explain it, all sorted by the gain."""
    order = _descending(comparison.ap_gain)
    gain = 100 * comparison.ap_gain[order]
    _bars(axes[0], report, order, gain, np.where(gain >= 0, GAIN, LOSS))
    axes[0].set_ylabel("AP gain (points)")
    _set_title(
        axes[0],
        f"{comparison.name} over {comparison.base} on {report.rules.title}",
        f"mAP {100 * comparison.gains['mAP']:+.1f}, correlation of gain and concurrent labels "
        f"{comparison.correlation:.2f}",
    )
    _bars(axes[1], report, order, report.co_occurring[order], NEUTRAL)
    axes[1].set_ylabel("concurrent labels")
    if report.training_counts is not None:
        _bars(axes[2], report, order, report.training_counts[order].astype(np.float64), NEUTRAL)
        axes[2].set_ylabel("training images")
        axes[2].set_yscale("symlog")  # few classes are frequent, and some may have no image at all


def _draw_average_precision(report: Report, axes: Axes) -> None:
    measurement = report.measurements[0]
    order = _descending(measurement.ap)
    _bars(axes, report, order, 100 * measurement.ap[order], NEUTRAL)
    axes.axhline(100 * measurement.figures["mAP"], color=LOSS, linewidth=1)
    axes.set_ylabel("AP (%)")
    _set_title(axes, f"{measurement.name} on {report.rules.title}", f"mAP {100 * measurement.figures['mAP']:.1f}")


def _set_title(axes: Axes, *lines: str) -> None:
    """Set a title from names of the user: long ones are wrapped, and a dollar sign begins no formula."""
    lines = tuple(part for line in lines for part in wrap(line, TITLE_CHARACTERS))
    axes.set_title("\n".join(lines), fontsize=10, parse_math=False)


def _descending(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """The positions of the classes that have a value, the largest value first."""
    order = np.argsort(-values, kind="stable")
    return order[~np.isnan(values[order])]


def _bars(
    axes: Axes, report: Report, order: NDArray[np.intp], heights: NDArray[np.float64], colours: str | NDArray[np.str_]
) -> None:
    axes.bar(range(len(order)), heights, color=colours)
    names = [report.class_names[index] for index in order]
    axes.set_xticks(range(len(order)), names, rotation=90, fontsize=7, parse_math=False)
    axes.margins(x=0.01)
    axes.grid(axis="y", linewidth=0.3)
    axes.set_axisbelow(True)
