"""A report as a picture: the AP of every class, or, of several files, the paper's Figure 7."""

import warnings
from pathlib import Path
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from caffe_compat.srn.metrics.comparison import Comparison
from caffe_compat.srn.metrics.report import Report

INCHES_PER_CLASS = 0.16
TITLE_CHARACTERS = 58  # as many as fit into the narrowest picture
GAIN, LOSS, NEUTRAL = "#1b7837", "#b2182b", "#4d4d4d"


def write_png(report: Report, path: Path) -> None:
    """One file of predictions: AP by class; several: two panels for each that is compared with the first."""
    panels = 2 * len(report.comparisons) or 1
    width = max(6.0, 2.0 + INCHES_PER_CLASS * len(report.class_names))
    figure = Figure(figsize=(width, 1.0 + 2.6 * panels), layout="constrained")
    axes = figure.subplots(panels, 1, squeeze=False)[:, 0]
    for comparison, gain_axes, labels_axes in zip(report.comparisons, axes[::2], axes[1::2], strict=False):
        _draw_comparison(report, comparison, gain_axes, labels_axes)
    if not report.comparisons:
        _draw_average_precision(report, axes[0])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a box stands for a letter that the font has not
        figure.savefig(path, format="png", dpi=120)


def _draw_comparison(report: Report, comparison: Comparison, gain_axes: Axes, labels_axes: Axes) -> None:
    """Figure 7: gains in AP above, mean numbers of other labels in the class's images below, both by gain."""
    order = _descending(comparison.ap_gain)
    gain = 100 * comparison.ap_gain[order]
    _bars(gain_axes, report, order, gain, np.where(gain >= 0, GAIN, LOSS))
    gain_axes.set_ylabel("AP gain (points)")
    _set_title(
        gain_axes,
        f"{comparison.name} over {comparison.base} on {report.rules.title}",
        f"mAP {100 * comparison.gains['mAP']:+.1f}, correlation {comparison.correlation:.2f}",
    )
    _bars(labels_axes, report, order, report.co_occurring[order], NEUTRAL)
    labels_axes.set_ylabel("co-occurring labels")


def _draw_average_precision(report: Report, axes: Axes) -> None:
    measurement = report.measurements[0]
    order = _descending(measurement.ap)
    _bars(axes, report, order, 100 * measurement.ap[order], NEUTRAL)
    axes.axhline(100 * measurement.figures["mAP"], color=LOSS, linewidth=1)
    axes.set_ylabel("AP (%)")
    _set_title(axes, f"{measurement.name} on {report.rules.title}", f"mAP {100 * measurement.figures['mAP']:.1f}")


def _set_title(axes: Axes, *lines: str) -> None:
    """Names are a user's: long ones are wrapped, and a dollar sign begins no formula."""
    lines = tuple(part for line in lines for part in wrap(line, TITLE_CHARACTERS))
    axes.set_title("\n".join(lines), fontsize=10, parse_math=False)


def _descending(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Classes with a value, the largest first."""
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
