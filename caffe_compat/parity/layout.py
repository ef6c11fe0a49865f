"""Places the layers of a net in a picture: order runs down, branches are side by side, long nets have columns."""

from collections import defaultdict
from dataclasses import dataclass, replace

from caffe_compat.graph.wiring import Wiring
from caffe_compat.net.net import Net
from caffe_compat.parity.replay import is_inserted_split

#: Number of rows per column; a ResNet-101 then has twelve columns of 175 pixels.
RANKS_IN_COLUMN = 40
#: If fewer than this share of the ranks in a part of a long net have branches, branches are not drawn side by side.
LEAST_SHARE = 0.25


@dataclass(frozen=True)
class PlacedLayer:
    """A layer in the picture: the numbers of the layers that it reads, and its place; a lane is one box wide."""

    number: int
    name: str
    type: str
    parents: tuple[int, ...]
    column: int = 0
    row: int = 0
    lane: int = 0


def layer_graph(net: Net) -> list[PlacedLayer]:
    """Returns a node per layer; readers of an inserted Split are connected to the layer before the Split."""
    wiring = Wiring.of_steps(net.steps)
    numbers: list[int] = []
    nodes: list[PlacedLayer] = []
    for index, step in enumerate(net.steps):
        parents = tuple(dict.fromkeys(numbers[maker] for maker in wiring.makers(index)))
        numbers.append(parents[0] if is_inserted_split(step) else len(nodes))
        if not is_inserted_split(step):
            nodes.append(PlacedLayer(numbers[-1], step.layer.name, step.layer.spec.type, parents))
    return nodes


def place(nodes: list[PlacedLayer]) -> list[PlacedLayer]:
    """Returns the nodes with places: a column, a row below all parents, and the first parent's lane if it is free.

    Where branches are few (the shortcuts of a ResNet with a convolution), a lane for them would be empty over most of
    its length: in such a part of a long net every layer has a row of its own.
    """
    ranks = _ranks(nodes)
    rows = _rows(ranks)
    lanes = _lanes(nodes, rows)
    return [
        replace(node, column=column, row=row, lane=lanes[node.number])
        for node in nodes
        for column, row in [divmod(rows[node.number], RANKS_IN_COLUMN)]
    ]


def _ranks(nodes: list[PlacedLayer]) -> dict[int, int]:
    """Returns each node's rank: one more than the largest rank of its parents, or 0."""
    ranks: dict[int, int] = {}
    for node in nodes:
        ranks[node.number] = max((ranks[parent] + 1 for parent in node.parents), default=0)
    return ranks


def _lanes(nodes: list[PlacedLayer], rows: dict[int, int]) -> dict[int, int]:
    """Returns each node's lane: the first parent's, or the first free one if another node of the row has it."""
    lanes: dict[int, int] = {}
    taken: defaultdict[int, set[int]] = defaultdict(set)
    for node in nodes:
        used = taken[rows[node.number]]
        wanted = lanes[node.parents[0]] if node.parents else 0
        lanes[node.number] = next(number for number in [wanted, *range(len(used) + 1)] if number not in used)
        used.add(lanes[node.number])
    return lanes


def _rows(ranks: dict[int, int]) -> dict[int, int]:
    """Returns each node's row: one row per rank, or one per node where few ranks have several nodes."""
    by_rank: list[list[int]] = [[] for _ in range(1 + max(ranks.values(), default=0))]
    for number, rank in ranks.items():
        by_rank[rank].append(number)
    rows: dict[int, int] = {}
    row = 0
    for first in range(0, len(by_rank), RANKS_IN_COLUMN):
        part = by_rank[first : first + RANKS_IN_COLUMN]
        branching = sum(len(numbers) > 1 for numbers in part)
        has_few = len(by_rank) > RANKS_IN_COLUMN and branching < LEAST_SHARE * len(part)
        for numbers in part:
            for group in [[number] for number in numbers] if has_few else [numbers]:
                rows |= dict.fromkeys(group, row)
                row += 1
    return rows
