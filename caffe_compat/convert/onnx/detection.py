"""Exports SSD's DetectionOutput with ONNX's NonMaxSuppression."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import helper

from caffe_compat.convert.onnx.graph import Graph, outputs_before
from caffe_compat.errors import MissingFeatureError
from caffe_compat.graph.wiring import Step

LOWEST = float(np.finfo(np.float32).min)


@dataclass(frozen=True)
class _Candidates:
    """Values of the graph: boxes (N, priors, 4) or (N, classes, priors, 4), and scores (N, classes, priors).

    `labels` are the classes that are looked for: all but the background.
    """

    boxes: str
    scores: str
    labels: list[int]
    priors: int
    shares_location: bool


def detection_output(graph: Graph, step: Step, offsets: str, scores: str, priors: str) -> str:
    """Exports a DetectionOutput; returns (1, 1, detections, 7) in Caffe's order: item, class, best score first."""
    layer: Any = step.layer
    if layer.eta < 1:
        raise MissingFeatureError(
            f"{layer.spec}: ONNX suppresses overlaps by one fixed threshold, got nms_param.eta {layer.eta:g}; "
            f"{outputs_before(step)}"
        )
    found = _candidates(graph, step, offsets, scores, priors)
    kept = _best_of_all_classes(graph, found, _suppressed(graph, layer, found), layer.kept_at_most)
    return graph.op("Unsqueeze", _or_nothing(graph, found, _rows(graph, found, kept)), graph.ints(0, 1))


def _candidates(graph: Graph, step: Step, offsets: str, scores: str, priors: str) -> _Candidates:
    layer: Any = step.layer
    items, count = step.bottom_shapes[0][0], step.bottom_shapes[2][2] // 4
    labels = [label for label in range(layer.classes) if label != layer.background]
    locations = 1 if layer.shares_location else layer.classes
    boxes = _decoded(graph, layer, graph.reshape(offsets, (items, count, locations, 4)), priors, count)
    by_prior = graph.reshape(scores, (items, count, layer.classes))
    by_class = graph.op("Gather", graph.op("Transpose", by_prior, perm=[0, 2, 1]), graph.ints(*labels), axis=1)
    if layer.shares_location:
        boxes = graph.op("Squeeze", boxes, graph.ints(2))
    else:
        boxes = graph.op("Gather", graph.op("Transpose", boxes, perm=[0, 2, 1, 3]), graph.ints(*labels), axis=1)
    return _Candidates(boxes, by_class, labels, count, layer.shares_location)


def _decoded(graph: Graph, layer: Any, moved: str, priors: str, count: int) -> str:
    """Returns boxes (N, priors, locations, 4) for offsets of the same shape, as in layers/utility/boxes.py."""
    pairs = graph.op("Reshape", priors, graph.ints(2, count, 1, 4))
    prior, variances = graph.ops("Split", [pairs, graph.ints(1, 1)], 2, axis=0)
    if not layer.has_encoded_variance:
        moved = graph.op("Mul", variances, moved)
    code = layer.spec.params("detection_output_param").code_type
    if code == "CORNER":
        return graph.op("Add", prior, moved)
    low, high = _halves(graph, prior)
    size = graph.op("Sub", high, low)
    if code == "CORNER_SIZE":
        return graph.op("Add", prior, graph.op("Mul", moved, graph.op("Concat", size, size, axis=-1)))
    shift, growth = _halves(graph, moved)
    middle = graph.op("Div", graph.op("Add", low, high), graph.number(2))
    centre = graph.op("Add", graph.op("Mul", shift, size), middle)
    half = graph.op("Div", graph.op("Mul", graph.op("Exp", growth), size), graph.number(2))
    return graph.op("Concat", graph.op("Sub", centre, half), graph.op("Add", centre, half), axis=-1)


def _halves(graph: Graph, value: str) -> list[str]:
    """Splits the last axis, 4, in halves: the two corners of boxes, or the shifts and growths of offsets."""
    return graph.ops("Split", [value, graph.ints(2, 2)], 2, axis=-1)


def _suppressed(graph: Graph, layer: Any, found: _Candidates) -> str:
    """Returns (item, class, prior) of boxes that remain after suppression: no better box of their class overlaps."""
    low, high = _halves(graph, found.boxes)
    # ONNX swaps corners in the wrong order. In Caffe such a box has no area and overlaps no box.
    boxes = graph.op("Concat", low, graph.op("Max", low, high), axis=-1)
    scores = _looked_at(graph, layer, found)
    if not found.shares_location:
        boxes = graph.op("Reshape", boxes, graph.ints(-1, found.priors, 4))
        scores = graph.op("Reshape", scores, graph.ints(-1, 1, found.priors))
    most = graph.ints(found.priors)
    limits = [graph.number(layer.most_overlap), graph.number(max(layer.least_score, LOWEST))]
    places = graph.op("NonMaxSuppression", boxes, scores, most, *limits)
    return places if found.shares_location else _by_item_and_class(graph, places, len(found.labels))


def _looked_at(graph: Graph, layer: Any, found: _Candidates) -> str:
    """Returns the scores with all but the `top_k` best of each class set to minus infinity."""
    if not -1 < layer.looked_at_most < found.priors:
        return found.scores
    values, places = graph.ops("TopK", [found.scores, graph.ints(layer.looked_at_most)], 2, axis=2)
    return graph.op("ScatterElements", _filled(graph, found.scores, -np.inf), places, values, axis=2)


def _filled(graph: Graph, like: str, value: float) -> str:
    """Returns a float32 value of the shape of `like`, filled with one number."""
    tensor = helper.make_tensor("value", 1, [1], [value])
    return graph.op("ConstantOfShape", graph.op("Shape", like), value=tensor)


def _by_item_and_class(graph: Graph, places: str, classes: int) -> str:
    """(item * classes + class, 0, prior) as (item, class, prior)."""
    both, _, prior = graph.ops("Split", [places, graph.ints(1, 1, 1)], 3, axis=1)
    item, label = graph.op("Div", both, graph.ints(classes)), graph.op("Mod", both, graph.ints(classes))
    return graph.op("Concat", item, label, prior, axis=1)


def _best_of_all_classes(graph: Graph, found: _Candidates, places: str, most: int) -> str:
    """Returns the places with the `most` best scores of each item (keep_top_k)."""
    count = len(found.labels) * found.priors
    if not -1 < most < count:
        return places
    nothing = _filled(graph, found.scores, -np.inf)
    kept = graph.op("ScatterND", nothing, places, graph.op("GatherND", found.scores, places))
    flat = graph.op("Reshape", kept, graph.ints(-1, count))
    _, best = graph.ops("TopK", [flat, graph.ints(most)], 2, axis=1)
    marks = graph.op("ScatterElements", _filled(graph, flat, 0), best, _filled(graph, best, 1), axis=1)
    by_class = graph.op("Reshape", marks, graph.ints(-1, len(found.labels), found.priors))
    is_kept = graph.op("Cast", graph.op("GatherND", by_class, places), to=9)
    return graph.op("Compress", places, is_kept, axis=0)


def _rows(graph: Graph, found: _Candidates, places: str) -> str:
    """Returns a row per place, (detections, 7): item, class, score and box."""
    item, label, prior = graph.ops("Split", [places, graph.ints(1, 1, 1)], 3, axis=1)
    labels = graph.op("Gather", graph.constant(np.array(found.labels, np.float32)), label, axis=0)
    score = graph.op("Unsqueeze", graph.op("GatherND", found.scores, places), graph.ints(1))
    where = graph.op("Concat", item, prior, axis=1) if found.shares_location else places
    box = graph.op("GatherND", found.boxes, where)
    return graph.op("Concat", graph.op("Cast", item, to=1), labels, score, box, axis=1)


def _or_nothing(graph: Graph, found: _Candidates, rows: str) -> str:
    """Returns the rows, or one row (item, -1, -1, ...) per item if nothing was detected in any item."""
    count = graph.op("Shape", found.scores, start=0, end=1)
    zero, one = graph.constant(np.array(0, np.int64)), graph.constant(np.array(1, np.int64))
    numbers = graph.op("Range", zero, graph.op("Squeeze", count), one)
    items = graph.op("Unsqueeze", graph.op("Cast", numbers, to=1), graph.ints(1))
    blank = graph.op("Expand", graph.number(-1), graph.op("Concat", count, graph.ints(6), axis=0))
    is_empty = graph.op("Cast", graph.op("Equal", graph.op("Shape", rows, start=0, end=1), graph.ints(0)), to=7)
    end = graph.op("Mul", count, is_empty)
    spare = graph.op("Slice", graph.op("Concat", items, blank, axis=1), graph.ints(0), end, graph.ints(0))
    return graph.op("Concat", rows, spare, axis=0)
