"""Draws a net as SVG: one box per layer, coloured and marked by its verdict; the first wrong layer stands out."""

import math
from collections.abc import Iterator, Sequence
from html import escape

from caffe_compat.parity.comparison import Difference, Verdict
from caffe_compat.parity.layout import PlacedLayer

BOX_HEIGHT, ROW_HEIGHT = 30, 42
#: Limits of a box's width in pixels; the longest name or type of a column determines the width.
NARROWEST, WIDEST = 118, 330
#: Pixels of a box's width beside the name, and pixels per letter of the name.
BESIDE_NAME, LETTER = 32, 6.8
LONGEST_NAME = int((WIDEST - BESIDE_NAME) / LETTER)
#: Pixels between neighbouring boxes.
GAP = 14
#: Pixels to the left of each column, for connections that pass other layers.
GUTTER = 30
MARGIN_TOP, MARGIN = 34, 24

#: Verdicts with their marks, worst first: a layer shows the worst verdict of its blobs. Marks work without colour.
MARKS: dict[Verdict | None, str] = {
    Verdict.OTHER_SHAPE: "✗",
    Verdict.DIFFERS: "✗",
    Verdict.DRIFTS: "≈",
    Verdict.INHERITS: "↓",
    Verdict.OTHER_DRAW: "?",
    Verdict.NOISE: "○",
    Verdict.TIE: "=",
    Verdict.SAME: "✓",
    None: "·",
}


class PixelGrid:
    """Converts the places of nodes to coordinates in pixels."""

    def __init__(self, nodes: Sequence[PlacedLayer]) -> None:
        self.nodes = nodes
        columns = range(1 + _last_column(nodes))
        lanes = [1 + max((n.lane for n in nodes if n.column == column), default=0) for column in columns]
        self._widths = [_box_width([n for n in nodes if n.column == column]) for column in columns]
        starts = [MARGIN]
        for count, width in zip(lanes, self._widths, strict=True):
            starts.append(starts[-1] + GUTTER + count * (width + GAP))
        self._starts = starts
        self.width = starts[-1] + MARGIN
        self.height = MARGIN_TOP + (1 + max((node.row for node in nodes), default=0)) * ROW_HEIGHT + MARGIN

    def box_width(self, node: PlacedLayer) -> int:
        """Returns the width of the node's box in pixels."""
        return self._widths[node.column]

    def corner(self, node: PlacedLayer) -> tuple[int, int]:
        """Returns the upper left corner (x, y) of the node's box in pixels."""
        left = self._starts[node.column] + GUTTER + node.lane * (self.box_width(node) + GAP)
        return left, MARGIN_TOP + node.row * ROW_HEIGHT

    def path(self, source: PlacedLayer, target: PlacedLayer) -> str:
        """Returns a connection as the attribute `d` of an SVG path: straight, around boxes, or to another column."""
        (x, y), (to_x, to_y) = self.corner(source), self.corner(target)
        start, end = (x + self.box_width(source) // 2, y + BOX_HEIGHT), (to_x + self.box_width(target) // 2, to_y)
        if source.column != target.column:
            lane = self._starts[target.column] + 8
            below, above = start[1] + 6, MARGIN_TOP - 14
            return f"M{start[0]} {start[1]}V{below}H{lane}V{above}H{end[0]}V{end[1]}"
        if target.row == source.row + 1:
            middle = (start[1] + end[1]) // 2
            return f"M{start[0]} {start[1]}C{start[0]} {middle} {end[0]} {middle} {end[0]} {end[1]}"
        side = self._starts[source.column] + 12 + 5 * (source.row % 4)
        leaving, entering = y + BOX_HEIGHT - 8, to_y + 8
        return f"M{x} {leaving}L{side} {leaving + 6}V{entering - 6}L{to_x} {entering}"


def _last_column(nodes: Sequence[PlacedLayer]) -> int:
    return max((node.column for node in nodes), default=0)


def _box_width(nodes: Sequence[PlacedLayer]) -> int:
    """Returns a width for all boxes of a column, so that every name fits, within NARROWEST and WIDEST."""
    longest = max((len(node.name) for node in nodes), default=0)
    return max(NARROWEST, min(WIDEST, math.ceil(BESIDE_NAME + LETTER * longest)))


def worst_verdicts(differences: Sequence[Difference]) -> dict[str, Verdict]:
    """Returns the worst verdict of each layer, by layer name."""
    order = list(MARKS)
    worst: dict[str, Verdict] = {}
    for row in differences:
        worst[row.layer] = min(worst.get(row.layer, row.verdict), row.verdict, key=order.index)
    return worst


def draw_net(nodes: Sequence[PlacedLayer], differences: Sequence[Difference], first_wrong: Difference | None) -> str:
    """Returns the complete <svg> element; boxes link to `#layer-NUMBER`."""
    picture = PixelGrid(nodes)
    verdicts = worst_verdicts(differences)
    first = first_wrong.layer if first_wrong else None
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{picture.width}" height="{picture.height}" '
        f'viewBox="0 0 {picture.width} {picture.height}" role="group" aria-label="The net, one box a layer">',
        *_connections(picture),
        *(_box(picture, node, verdicts.get(node.name), node.name == first) for node in nodes),
        "</svg>",
    ]
    return "\n".join(parts)


def draw_overview(
    nodes: Sequence[PlacedLayer], differences: Sequence[Difference], first_wrong: Difference | None
) -> str:
    """Returns a small picture without text, which shows where in a long net the wrong layers are."""
    picture = PixelGrid(nodes)
    verdicts = worst_verdicts(differences)
    boxes = []
    for node in nodes:
        x, y = picture.corner(node)
        verdict = verdicts.get(node.name)
        kind = verdict.value.replace(" ", "-") if verdict else ""
        if first_wrong is not None and node.name == first_wrong.layer:
            boxes.append(_halo(x, y, picture.box_width(node)))
        size = f'width="{picture.box_width(node)}" height="{BOX_HEIGHT}"'
        boxes.append(f'<rect class="box {kind}" x="{x}" y="{y}" {size}/>')
    view = f'viewBox="0 0 {picture.width} {picture.height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" class="overview" {view} aria-hidden="true">{"".join(boxes)}</svg>'


def _connections(picture: PixelGrid) -> Iterator[str]:
    for node in picture.nodes:
        for parent in node.parents:
            yield f'<path class="edge" d="{picture.path(picture.nodes[parent], node)}"/>'


def _box(picture: PixelGrid, node: PlacedLayer, verdict: Verdict | None, is_first: bool) -> str:
    x, y = picture.corner(node)
    width = picture.box_width(node)
    said = verdict.value if verdict else "not compared"
    kind = said.replace(" ", "-")
    label = escape(f"{node.name}, {node.type}: {said}" + (", the first that differs" if is_first else ""))
    element = f'a href="#layer-{node.number}"' if verdict else "g"
    mark = ' id="first-in-picture"' if is_first else ""
    type_ = f"{node.type} · first that differs" if is_first else node.type
    return (
        f'<{element}{mark} aria-label="{label}"><title>{label}</title>{_halo(x, y, width) if is_first else ""}'
        f'<rect class="box {kind}" x="{x}" y="{y}" width="{width}" height="{BOX_HEIGHT}" rx="5"/>'
        f'<text class="name {kind}" x="{x + 22}" y="{y + 13}">{escape(_shortened(node.name))}</text>'
        f'<text class="type {kind}" x="{x + 22}" y="{y + 25}">{escape(type_)}</text>'
        f'<text class="mark {kind}" x="{x + 11}" y="{y + 20}">{MARKS[verdict]}</text></{element[0]}>'
    )


def _shortened(name: str) -> str:
    # Long names are shortened in the middle, since names within a block differ at the end.
    half = LONGEST_NAME // 2
    return name if len(name) <= LONGEST_NAME else f"{name[:half]}…{name[-half:]}"


def _halo(x: int, y: int, width: int) -> str:
    return f'<rect class="halo" x="{x - 6}" y="{y - 6}" width="{width + 12}" height="{BOX_HEIGHT + 12}" rx="9"/>'
