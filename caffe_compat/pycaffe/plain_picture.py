"""Draws a net with matplotlib: a row for each step from the inputs, boxes for layers and blobs, lines between them."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import copysign

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path

from caffe_compat.errors import MissingFeatureError
from caffe_compat.pycaffe.layered_places import forward_edges, places_of
from caffe_compat.pycaffe.net_drawing import Drawing, DrawnNode

#: Inches between rows and between boxes, of a letter, and of a box beside its letters; the longest picture.
ROW, GAP, LETTER, BESIDE, LONGEST = 0.62, 0.25, 0.068, 0.22, 600
DOTS_PER_INCH = 72

Place = tuple[float, float]
#: Where (across, along) lies on the page, in inches.
_DIRECTIONS: dict[str, Callable[[float, float], Place]] = {
    "LR": lambda across, along: (along, -across),
    "RL": lambda across, along: (-along, -across),
    "TB": lambda across, along: (across, -along),
    "BT": lambda across, along: (across, along),
}


def plain_picture(drawing: Drawing, rankdir: str, extension: str) -> bytes:
    """The picture as a file of this format (png, pdf, svg, jpg)."""
    lying = rankdir in ("LR", "RL")
    sizes = {key: _size(node) for key, node in drawing.nodes.items()}
    places = places_of(drawing, {key: size[lying] for key, size in sizes.items()}, GAP)
    step = ROW if not lying else max([width for width, _ in sizes.values()], default=ROW) + ROW

    def on_page(across: float, row: float) -> Place:
        return _DIRECTIONS[rankdir](across, row * step)

    points = {key: on_page(places.across[key], places.row[key]) for key in drawing.nodes}
    bends = {edge: [on_page(*bend) for bend in found] for edge, found in places.bends.items()}
    figure, axes = _page([*points.values(), *(point for found in bends.values() for point in found)], sizes.values())
    ends = {key: size[not lying] / 2 for key, size in sizes.items()}
    _draw_edges(axes, drawing, points, bends, ends, lying)
    for key, node in drawing.nodes.items():
        _draw_node(axes, node, points[key])
    return _saved(figure, extension)


def _size(node: DrawnNode) -> tuple[float, float]:
    """Width and height in inches."""
    lines = node.label.split(r"\n")
    return max(map(len, lines)) * LETTER + BESIDE, 0.14 * len(lines) + 0.12


def _saved(figure: Figure, extension: str) -> bytes:
    if extension not in figure.canvas.get_supported_filetypes():
        known = ", ".join(sorted(figure.canvas.get_supported_filetypes()))
        raise MissingFeatureError(f"cannot draw '{extension}' without Graphviz; install it, or choose one of {known}")
    file = io.BytesIO()
    figure.savefig(file, format=extension, dpi=DOTS_PER_INCH)
    return file.getvalue()


def _page(points: Sequence[Place], sizes: Iterable[tuple[float, float]]) -> tuple[Figure, Axes]:
    """An empty page around these points, an inch of which is one unit."""
    xs, ys = zip(*points, strict=True) if points else ((0.0,), (0.0,))
    margins = [max(values) / 2 + 0.3 for values in zip(*sizes, strict=True)] or [1.0, 1.0]
    left, right, low, high = min(xs) - margins[0], max(xs) + margins[0], min(ys) - margins[1], max(ys) + margins[1]
    figure = Figure(figsize=(min(right - left, LONGEST), min(high - low, LONGEST)))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)
    return figure, axes


def _draw_edges(
    axes: Axes,
    drawing: Drawing,
    points: Mapping[str, Place],
    bends: Mapping[tuple[str, str], Sequence[Place]],
    ends: Mapping[str, float],
    lying: bool,
) -> None:
    """Arrows from box to box; `ends` says how far each box reaches along the graph."""
    labels = {(start, end): label for start, end, label in drawing.edges}
    for start, end in forward_edges(drawing):
        way = [points[start], *bends[start, end], points[end]]
        way = [_towards(way[0], way[1], ends[start], lying), *way[1:-1], _towards(way[-1], way[-2], ends[end], lying)]
        style = "<->" if (end, start) in labels else "->"
        arrow = FancyArrowPatch(
            path=_curve(way, lying), arrowstyle=style, mutation_scale=7, color="#606060", linewidth=0.8, zorder=1
        )
        axes.add_patch(arrow)
        (x, y), (other_x, other_y) = way[0], way[1]
        middle = ((x + other_x) / 2, (y + other_y) / 2)
        axes.text(*middle, labels[start, end], fontsize=6, parse_math=False, zorder=3)


def _towards(place: Place, other: Place, reach: float, lying: bool) -> Place:
    """The side of a box that faces another place."""
    x, y = place
    return (x + copysign(reach, other[0] - x), y) if lying else (x, y + copysign(reach, other[1] - y))


def _curve(way: Sequence[Place], lying: bool) -> Path:
    """A line that leaves and enters each row straight along the graph."""
    points, codes = [way[0]], [Path.MOVETO]
    for start, end in pairwise(way):
        middle = tuple((a + b) / 2 for a, b in zip(start, end, strict=True))
        controls = (
            [(middle[0], start[1]), (middle[0], end[1])] if lying else [(start[0], middle[1]), (end[0], middle[1])]
        )
        points += [*controls, end]
        codes += [Path.CURVE4] * 3
    return Path(points, codes)


def _draw_node(axes: Axes, node: DrawnNode, place: Place) -> None:
    box = {"boxstyle": "round" if node.shape == "octagon" else "square", "facecolor": node.colour or "#FFFFFF"}
    text = node.label.replace(r"\n", "\n")
    axes.text(*place, text, ha="center", va="center", fontsize=7, bbox=box, parse_math=False, zorder=2)
