"""A report as JSON."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from caffe_compat.srn.metrics import later_papers
from caffe_compat.srn.metrics.comparison import Gains
from caffe_compat.srn.metrics.measurement import Measurement
from caffe_compat.srn.metrics.report import Report

AP_CONVENTIONS = {
    "released": "AP interpolated as VOC 2012, as the released SRN code",
    "voc07": "AP at eleven recalls, as VOC 2007",
    "sklearn": "AP without interpolation, as scikit-learn",
}
F1_CONVENTION = "F1-C is the mean of the classes' F1, as the released SRN code"
SPECIFIED_CONVENTION = (
    "F1-C, P-C, R-C, F1-O, P-O, R-O count unspecified labels as absent, as the released SRN code; the figures called "
    "'specified' leave them out, as the paper's text says; AP leaves them out"
)


def report_json(report: Report) -> dict[str, Any]:
    """The report as an object for JSON; undefined figures are null.

    The figures of one file of predictions are at the top level, those of several by name, under "models".
    """
    result: dict[str, Any] = {
        "dataset": report.dataset,
        "title": report.rules.title,
        "images": report.images,
        "classes": list(report.class_names),
        "positives": report.positives.tolist(),
        "co-occurring labels": _list(report.co_occurring),
        "convention": convention(report),
        "threshold": report.conventions.threshold,
        "warnings": list(report.warnings),
        "notes": list(report.notes),
    }
    if report.training_counts is not None:
        result["training images"] = report.training_counts.tolist()
    if len(report.measurements) == 1:
        return result | _measurement_json(report.measurements[0])
    models = {measurement.name: _measurement_json(measurement) for measurement in report.measurements}
    return result | {"models": models, "comparisons": [_comparison_json(item) for item in report.comparisons]}


def convention(report: Report) -> str:
    """The definitions of AP and F1 that the report's figures follow, in words."""
    parts = [AP_CONVENTIONS[report.conventions.ap], F1_CONVENTION]
    return "; ".join([*parts, SPECIFIED_CONVENTION] if report.rules.ignore_unspecified else parts)


def _measurement_json(measurement: Measurement) -> dict[str, Any]:
    by_class = measurement.by_class._asdict().items()
    result: dict[str, Any] = {**_object(measurement.figures)}
    result["scores"] = "probabilities" if measurement.of_probabilities else "logits"
    result |= {"ap": _list(measurement.ap), "by class": {name: _list(values) for name, values in by_class}}
    result[later_papers.NAME] = _object(measurement.later.figures) | {"ap": _list(measurement.later.ap)}
    if measurement.resampled:
        result["95 % interval"] = _intervals(measurement.intervals())
    return result


def _comparison_json(comparison: Gains) -> dict[str, Any]:
    result: dict[str, Any] = {
        "base": comparison.base,
        "model": comparison.name,
        "gain": _object(comparison.gains),
        "ap gain": _list(comparison.ap_gain),
        "correlation of AP gain and co-occurring labels": _number(comparison.correlation),
    }
    if comparison.gain_intervals:
        result["95 % interval of the gain"] = _intervals(comparison.gain_intervals)
    return result


def _object(figures: dict[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in figures.items()}


def _list(values: Iterable[float]) -> list[float | None]:
    return [_number(value) for value in values]


def _intervals(intervals: dict[str, tuple[float, float]]) -> dict[str, list[float | None]]:
    return {name: _list(bounds) for name, bounds in intervals.items()}


def _number(value: float) -> float | None:
    """JSON has no NaN, so null stands for it."""
    return None if np.isnan(value) else float(value)
