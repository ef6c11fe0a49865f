"""A report as JSON."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from caffe_compat.srn.metrics import later_papers
from caffe_compat.srn.metrics.comparison import Comparison
from caffe_compat.srn.metrics.measurement import Measurement
from caffe_compat.srn.metrics.report import Report

CONVENTION = "released SRN code: interpolated AP; F1-C is the mean of the classes' F1"


def report_json(report: Report) -> dict[str, Any]:
    """One file of predictions: its figures at the top level; several: by name, under "models"."""
    result: dict[str, Any] = {
        "dataset": report.dataset,
        "images": report.images,
        "classes": list(report.class_names),
        "positives": report.positives.tolist(),
        "co-occurring labels": _list(report.co_occurring),
        "convention": CONVENTION,
        "warnings": list(report.warnings),
    }
    if len(report.measurements) == 1:
        return result | _measurement_json(report.measurements[0])
    models = {measurement.name: _measurement_json(measurement) for measurement in report.measurements}
    return result | {"models": models, "comparisons": [_comparison_json(item) for item in report.comparisons]}


def _measurement_json(measurement: Measurement) -> dict[str, Any]:
    by_class = measurement.by_class._asdict().items()
    result: dict[str, Any] = {**_object(measurement.figures)}
    result |= {"ap": _list(measurement.ap), "by class": {name: _list(values) for name, values in by_class}}
    result[later_papers.NAME] = _object(measurement.later.figures) | {"ap": _list(measurement.later.ap)}
    if measurement.resampled:
        result["95 % interval"] = measurement.intervals()
    return result


def _comparison_json(comparison: Comparison) -> dict[str, Any]:
    result: dict[str, Any] = {
        "base": comparison.base,
        "model": comparison.name,
        "gain": _object(comparison.gains),
        "ap gain": _list(comparison.ap_gain),
        "correlation of AP gain and co-occurring labels": _number(comparison.correlation),
    }
    if comparison.gain_intervals:
        result["95 % interval of the gain"] = comparison.gain_intervals
    return result


def _object(figures: dict[str, float]) -> dict[str, float | None]:
    return {name: _number(value) for name, value in figures.items()}


def _list(values: Iterable[float]) -> list[float | None]:
    return [_number(value) for value in values]


def _number(value: float) -> float | None:
    """JSON knows no NaN."""
    return None if np.isnan(value) else float(value)
