"""The label paths of an image as a figure: the photo, and beside it the paths as a tree."""

from collections.abc import Collection, Sequence
from itertools import pairwise
from textwrap import fill

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from caffe_compat.srn.prediction.attention_figure import NAME_CHARACTERS, OTHER_COLOUR, SOFT_COLOUR, TRUE_COLOUR
from caffe_compat.srn.prediction.attention_maps import Picture
from caffe_compat.srn.prediction.label_paths import LabelPath

INCHES_PER_STEP, INCHES_PER_PATH = 1.35, 0.62
PHOTO_INCHES = 2.4

Prefix = tuple[int, ...]
Node = tuple[float, float]


def draw_paths(
    picture: Picture, paths: Sequence[LabelPath], names: Sequence[str], true: Collection[int] = ()
) -> Figure:
    """The photo, and a tree of the paths from the start: each label with its probability, each end with the path's.

    Paths that begin alike share their first labels. The most probable path is above, drawn with thick lines. The names
    of `true` labels are red. `picture` is (height, width, 3), blue first, 0..1.
    """
    steps = 2 + max(len(path.labels) for path in paths)
    height = max(PHOTO_INCHES, INCHES_PER_PATH * len(paths) + 0.6)
    figure = Figure(figsize=(PHOTO_INCHES + INCHES_PER_STEP * steps, height), layout="constrained")
    photo, tree = figure.subplots(1, 2, width_ratios=(PHOTO_INCHES, INCHES_PER_STEP * steps))
    photo.imshow(picture[..., ::-1])
    photo.set_axis_off()
    tree.set(xlim=(-0.5, steps - 0.5), ylim=(len(paths) - 0.5, -0.5))
    tree.set_axis_off()
    _draw_tree(tree, paths, names, true)
    return figure


def tree_nodes(paths: Sequence[LabelPath]) -> dict[Prefix, Node]:
    """The place (step, row) of each first part of a path: in the row of the first path that begins so."""
    nodes: dict[Prefix, Node] = {}
    for row, path in enumerate(paths):
        for length in range(len(path.labels) + 1):
            nodes.setdefault(path.labels[:length], (length, row))
    return nodes


def _draw_tree(axes: Axes, paths: Sequence[LabelPath], names: Sequence[str], true: Collection[int]) -> None:
    nodes = tree_nodes(paths)
    drawn: set[Prefix] = set()
    for row, path in enumerate(paths):
        colour, width = (OTHER_COLOUR, 2.0) if row == 0 else (SOFT_COLOUR, 0.9)
        end = (len(path.labels) + 1.0, float(row))
        places = [nodes[path.labels[:length]] for length in range(len(path.labels) + 1)] + [end]
        for length, (place, following) in enumerate(pairwise(places)):
            if path.labels[: length + 1] not in drawn or following is end:
                axes.plot(*zip(place, following, strict=True), color=colour, linewidth=width, zorder=1)
        for length, label in enumerate(path.labels, start=1):
            if path.labels[:length] not in drawn:
                text = f"{fill(names[label], NAME_CHARACTERS)}\n{path.probabilities[length - 1]:.2f}"
                _write(axes, nodes[path.labels[:length]], text, TRUE_COLOUR if label in true else OTHER_COLOUR)
                drawn.add(path.labels[:length])
        _write(axes, end, f"path {path.probability:.3f}", SOFT_COLOUR)
    _write(axes, nodes[()], "start", SOFT_COLOUR)


def _write(axes: Axes, place: Node, text: str, colour: str) -> None:
    box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": colour, "linewidth": 0.7}
    axes.text(*place, text, color=colour, fontsize=9, ha="center", va="center", bbox=box, zorder=2, parse_math=False)
