"""Where each layer of a net stands in a picture: ranks go down, branches side by side, long nets in columns."""

from collections import defaultdict
from dataclasses import dataclass

from caffe_compat.graph.wiring import Wiring
from caffe_compat.net.net import Net
from caffe_compat.parity.replay import is_inserted_split

#: Ranks in a column: a ResNet-101 makes nine columns, which a wide screen shows.
RANKS_IN_COLUMN = 40


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
    """Gives every node a column, a row below all that it reads, and a lane: its first parent's where that is free."""
    rank: dict[int, int] = {}
    lane: dict[int, int] = {}
    taken: defaultdict[int, set[int]] = defaultdict(set)
    placed = []
    for node in nodes:
        rank[node.number] = max((rank[parent] + 1 for parent in node.parents), default=0)
        used = taken[rank[node.number]]
        wanted = lane[node.parents[0]] if node.parents else 0
        lane[node.number] = next(number for number in [wanted, *range(len(used) + 1)] if number not in used)
        used.add(lane[node.number])
        column, row = divmod(rank[node.number], RANKS_IN_COLUMN)
        placed.append(Node(node.number, node.name, node.type, node.parents, column, row, lane[node.number]))
    return placed
