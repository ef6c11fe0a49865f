"""Where the nodes of a drawing lie: in rows along the graph, close to what they are connected with.

The method is that of Sugiyama, Tagawa and Toda (1981): rows by the longest way from an input, stand-ins where an edge
passes a row, an order in each row with few crossings, and places that make long ways straight.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from caffe_compat.pycaffe.net_drawing import Drawing

#: How often rows are put in order and moved, down and up.
_SWEEPS = 4
#: How strongly a node is pulled to its place: one on a way through the net, and one that only hangs there.
_ON_A_WAY, _HANGING = 1.0, 1e-3
#: Width of a stand-in for an edge.
_EDGE_WIDTH = 0.4


@dataclass
class Places:
    """`row` and `across` of each node, and for each edge the places between its ends, in order."""

    row: dict[str, int]
    across: dict[str, float]
    bends: dict[tuple[str, str], list[tuple[float, int]]]


@dataclass
class _Graph:
    """Nodes and stand-ins by row, and their neighbours above and below."""

    rows: list[list[str]] = field(default_factory=list)
    above: dict[str, list[str]] = field(default_factory=dict)
    below: dict[str, list[str]] = field(default_factory=dict)
    stand_ins: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, name: str, row: int) -> None:
        while len(self.rows) <= row:
            self.rows.append([])
        self.rows[row].append(name)
        self.above[name], self.below[name] = [], []

    def connect(self, start: str, end: str) -> None:
        self.below[start].append(end)
        self.above[end].append(start)


def places_of(drawing: Drawing, widths: Mapping[str, float], gap: float) -> Places:
    """Places for nodes of these widths, with at least `gap` between neighbours of a row."""
    depth = depths(drawing)
    graph = _layered(drawing, depth)
    _put_in_order(graph)
    size = {name: widths.get(name, _EDGE_WIDTH) for row in graph.rows for name in row}
    across = _spread(graph, size, gap)
    bends = {
        edge: [(across[name], depth[edge[0]] + 1 + number) for number, name in enumerate(names)]
        for edge, names in graph.stand_ins.items()
    }
    return Places(depth, {name: across[name] for name in drawing.nodes}, bends)


def depths(drawing: Drawing) -> dict[str, int]:
    """The length of the longest way from an input to each node."""
    depth = dict.fromkeys(drawing.nodes, 0)
    for start, end in forward_edges(drawing):
        depth[end] = max(depth[end], depth[start] + 1)
    return depth


def forward_edges(drawing: Drawing) -> list[tuple[str, str]]:
    """The edges in file order, without the way back from a layer in place to its blob."""
    seen: dict[tuple[str, str], None] = {}
    for start, end, _ in drawing.edges:
        if (end, start) not in seen:
            seen[start, end] = None
    return list(seen)


def _layered(drawing: Drawing, depth: Mapping[str, int]) -> _Graph:
    graph = _Graph()
    for name in drawing.nodes:
        graph.add(name, depth[name])
    for start, end in forward_edges(drawing):
        names = [f"{start}>{end}>{row}" for row in range(depth[start] + 1, depth[end])]
        for number, name in enumerate(names):
            graph.add(name, depth[start] + 1 + number)
        for first, second in pairwise([start, *names, end]):
            graph.connect(first, second)
        graph.stand_ins[start, end] = names
    return graph


def _put_in_order(graph: _Graph) -> None:
    """Sorts each row by the mean place of its neighbours; what only hangs there comes last among equals."""
    number = {name: float(place) for row in graph.rows for place, name in enumerate(row)}
    for neighbours, row in _sweeps(graph, _SWEEPS):
        wanted = {
            name: _mean([number[other] for other in _ways(graph, neighbours[name])], number[name]) for name in row
        }
        row.sort(key=lambda name: not graph.below[name])
        row.sort(key=wanted.__getitem__)
        number.update((name, float(place)) for place, name in enumerate(row))


def _sweeps(graph: _Graph, count: int) -> Iterator[tuple[Mapping[str, Sequence[str]], list[str]]]:
    """Rows from the top down and from the bottom up in turn, each with the neighbours in the row before."""
    for sweep in range(count):
        if sweep % 2 == 0:
            yield from ((graph.above, row) for row in graph.rows)
        else:
            yield from ((graph.below, row) for row in reversed(graph.rows))


def _spread(graph: _Graph, size: Mapping[str, float], gap: float) -> dict[str, float]:
    across = dict.fromkeys(size, 0.0)
    for neighbours, row in _sweeps(graph, 2 * _SWEEPS):
        wanted = [_mean([across[other] for other in _ways(graph, neighbours[name])], across[name]) for name in row]
        pull = [_ON_A_WAY if graph.below[name] else _HANGING for name in row]
        across.update(zip(row, apart(wanted, pull, [size[name] for name in row], gap), strict=True))
    return across


def _ways(graph: _Graph, names: Sequence[str]) -> Sequence[str]:
    """The names that lead on, or all if none does."""
    return [name for name in names if graph.below[name]] or names


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def apart(wanted: Sequence[float], pull: Sequence[float], widths: Sequence[float], gap: float) -> list[float]:
    """Places in order that do not overlap, with the least sum of pull * (place - wanted)^2.

    Neighbours that would overlap become a block, which moves as one (pool adjacent violators).
    """
    offsets = [0.0]
    for left, right in pairwise(widths):
        offsets.append(offsets[-1] + (left + right) / 2 + gap)
    blocks: list[tuple[float, float, int]] = []  # place without offsets, pull, number of nodes
    for place, strength, offset in zip(wanted, pull, offsets, strict=False):
        block = (place - offset, strength, 1)
        while blocks and blocks[-1][0] > block[0]:
            before = blocks.pop()
            total = before[1] + block[1]
            mean = (before[0] * before[1] + block[0] * block[1]) / total
            block = (mean, total, before[2] + block[2])
        blocks.append(block)
    flat = [place for place, _, count in blocks for _ in range(count)]
    return [place + offset for place, offset in zip(flat, offsets, strict=False)]
