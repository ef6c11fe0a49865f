"""Draws a net with matplotlib: a row for each step from the inputs, boxes for layers and blobs, lines between them."""

import io
from collections import Counter
from collections.abc import Callable

from matplotlib.figure import Figure

from caffe_compat.errors import MissingFeatureError
from caffe_compat.pycaffe.net_drawing import Drawing

#: Inches that a node takes across and along the graph, and the longest picture.
ACROSS, ALONG, LONGEST = 2.6, 0.9, 600
DOTS_PER_INCH = 72

Place = tuple[float, float]
#: Where (across, along) lies on the page.
_DIRECTIONS: dict[str, Callable[[float, float], Place]] = {
    "LR": lambda across, along: (along * ACROSS, -across * ALONG),
    "RL": lambda across, along: (-along * ACROSS, -across * ALONG),
    "TB": lambda across, along: (across * ACROSS, -along * ALONG),
    "BT": lambda across, along: (across * ACROSS, along * ALONG),
}


def plain_picture(drawing: Drawing, rankdir: str, extension: str) -> bytes:
    """The picture as a file of this format (png, pdf, svg, jpg)."""
    places = _places(drawing, rankdir)
    xs, ys = zip(*places.values(), strict=True) if places else ((0.0,), (0.0,))
    size = [min(max(values) - min(values) + ACROSS, LONGEST) for values in (xs, ys)]
    figure = Figure(figsize=(size[0], size[1]))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(min(xs) - ACROSS / 2, max(xs) + ACROSS / 2)
    axes.set_ylim(min(ys) - ACROSS / 2, max(ys) + ACROSS / 2)
    for start, end, label in drawing.edges:
        axes.annotate("", places[end], places[start], arrowprops={"arrowstyle": "->", "color": "#606060"})
        middle = [(a + b) / 2 for a, b in zip(places[start], places[end], strict=True)]
        axes.text(middle[0], middle[1], label, fontsize=6, parse_math=False)
    for key, node in drawing.nodes.items():
        box = {"boxstyle": "round" if node.shape == "octagon" else "square", "facecolor": node.colour or "#FFFFFF"}
        text = node.label.replace(r"\n", "\n")
        axes.text(*places[key], text, ha="center", va="center", fontsize=7, bbox=box, parse_math=False)
    return _saved(figure, extension)


def _saved(figure: Figure, extension: str) -> bytes:
    if extension not in figure.canvas.get_supported_filetypes():
        known = ", ".join(sorted(figure.canvas.get_supported_filetypes()))
        raise MissingFeatureError(f"cannot draw '{extension}' without Graphviz; install it, or choose one of {known}")
    file = io.BytesIO()
    figure.savefig(file, format=extension, dpi=DOTS_PER_INCH)
    return file.getvalue()


def _places(drawing: Drawing, rankdir: str) -> dict[str, Place]:
    """A row for each length of the longest way from an input; nodes of a row side by side."""
    depth = _depths(drawing)
    taken: Counter[int] = Counter()
    places = {}
    for key in drawing.nodes:
        places[key] = _DIRECTIONS[rankdir](taken[depth[key]], depth[key])
        taken[depth[key]] += 1
    return places


def _depths(drawing: Drawing) -> dict[str, int]:
    # Edges stand in file order, so one pass finds the longest ways; the way back from a layer in place is left out.
    depth = dict.fromkeys(drawing.nodes, 0)
    seen: set[tuple[str, str]] = set()
    for start, end, _ in drawing.edges:
        if (end, start) not in seen:
            depth[end] = max(depth[end], depth[start] + 1)
            seen.add((start, end))
    return depth
