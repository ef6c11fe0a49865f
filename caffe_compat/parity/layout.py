"""Where each layer of a net stands in a picture: ranks go down, branches side by side, long nets in columns."""

from collections import defaultdict
from dataclasses import dataclass, replace

from caffe_compat.graph.wiring import Wiring
from caffe_compat.net.net import Net
from caffe_compat.parity.replay import is_inserted_split

#: Ranks in a column: a ResNet-101 makes twelve columns of 175 pixels.
RANKS_IN_COLUMN = 40
#: A part of a long net where fewer ranks than this share have branches is drawn without branches side by side.
LEAST_SHARE = 0.25


@dataclass(frozen=True)
class Node:
    """One layer: what it reads from (by number), and its place. A lane is one box wide."""

    number: int
    name: str
    type: str
    parents: tuple[int, ...]
    column: int = 0
    row: int = 0
    lane: int = 0


def layer_graph(net: Net) -> list[Node]:
    """The layers and what they read, past the Splits that the net was given when it was built."""
    wiring = Wiring.of_steps(net.steps)
    numbers: list[int] = []
    nodes: list[Node] = []
    for index, step in enumerate(net.steps):
        parents = tuple(dict.fromkeys(numbers[maker] for maker in wiring.makers(index)))
        numbers.append(parents[0] if is_inserted_split(step) else len(nodes))
        if not is_inserted_split(step):
            nodes.append(Node(numbers[-1], step.layer.name, step.layer.spec.type, parents))
    return nodes


def place(nodes: list[Node]) -> list[Node]:
    """Gives every node a column, a row below all that it reads, and a lane: its first parent's where that is free.

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


def _ranks(nodes: list[Node]) -> dict[int, int]:
    """One more than the largest rank of what a node reads."""
    ranks: dict[int, int] = {}
    for node in nodes:
        ranks[node.number] = max((ranks[parent] + 1 for parent in node.parents), default=0)
    return ranks


def _lanes(nodes: list[Node], rows: dict[int, int]) -> dict[int, int]:
    """The first parent's lane where no other node of the row has it, else the first free one."""
    lanes: dict[int, int] = {}
    taken: defaultdict[int, set[int]] = defaultdict(set)
    for node in nodes:
        used = taken[rows[node.number]]
        wanted = lanes[node.parents[0]] if node.parents else 0
        lanes[node.number] = next(number for number in [wanted, *range(len(used) + 1)] if number not in used)
        used.add(lanes[node.number])
    return lanes


def _rows(ranks: dict[int, int]) -> dict[int, int]:
    """A row for each rank, or, where few ranks have several nodes, for each node."""
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
