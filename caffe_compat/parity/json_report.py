"""Converts a comparison to JSON.

It stands apart from the tables of `text_table` and the page of `html_page`: other programs read it.
"""

import math
from dataclasses import asdict
from typing import Any

from caffe_compat.parity.comparison import Comparison, Difference
from caffe_compat.parity.provenance import Provenance
from caffe_compat.parity.text_table import conclusion


def report_json(comparison: Comparison, net: str, provenance: Provenance | None = None) -> dict[str, Any]:
    """Returns the whole comparison and its provenance as a JSON object; infinite errors (other shapes) become null."""
    first = comparison.first_wrong
    return {
        "about": None if provenance is None else provenance.as_dict(),
        "net": net,
        "against": comparison.against,
        "agrees": comparison.agrees,
        "conclusion": conclusion(comparison),
        "max_error": _finite(comparison.max_error),
        "first_wrong": None if first is None else _row(first),
        "notes": comparison.notes,
        "not_compared": comparison.not_compared,
        "layers": len(comparison.layers),
        "layers_not_compared": comparison.unseen_layers,
        "layers_of_zeros": comparison.zero_layers,
        "differences": [_row(row) for row in comparison.differences],
    }


def _row(row: Difference) -> dict[str, Any]:
    found: dict[str, Any] = _finite(asdict(row))
    return found


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
