"""Nodes: layers with links to the layers before and after them, for rules about names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from caffe_compat.convert.model import Layer
from caffe_compat.graph.wiring import Wiring


@dataclass(eq=False)
class Node:
    """A layer in its net: `net` holds the nodes of all layers in order, and `wiring` connects node numbers."""

    layer: Layer
    number: int
    net: "list[Node]"
    wiring: Wiring

    @cached_property
    def sources(self) -> "list[Node]":
        """The nodes that make this node's bottoms, in order."""
        return [self.net[maker] for maker in self.wiring.makers(self.number)]

    @cached_property
    def readers(self) -> "list[Node]":
        """The nodes that read this node's tops, once per use."""
        return [self.net[reader] for reader in self.wiring.readers(self.number)]

    @property
    def type(self) -> str:
        return str(self.layer.type)

    @property
    def name(self) -> str:
        return str(self.layer.name)

    def only_reader(self, *types: str) -> "Node | None":
        """Returns the node's reader if there is only one and it has one of these types, else None."""
        alone = len(self.readers) == 1 and self.readers[0].type in types
        return self.readers[0] if alone else None

    def readers_of(self, *types: str) -> list["Node"]:
        """Returns the node's readers of these types."""
        return [node for node in self.readers if node.type in types]


def graph_of(layers: Sequence[Layer]) -> list[Node]:
    """Returns the nodes in the order of the layers, which must be without Splits."""
    wiring = Wiring.of_layers(layers)
    nodes: list[Node] = []
    nodes += [Node(layer, number, nodes, wiring) for number, layer in enumerate(layers)]
    return nodes


def ancestors(node: Node) -> set[Node]:
    """Returns the node and every node on which it depends."""
    return {node.net[number] for number in node.wiring.leading_to((), also=[node.number])}


def upwards(node: Node) -> Iterator[Node]:
    """Yields the node, its source, the source's source and so on; ends at a node without exactly one source."""
    yield node
    while len(node.sources) == 1:
        (node,) = node.sources
        yield node


def is_eltwise(node: Node, operation: int) -> bool:
    """Whether the node is an Eltwise that combines the outputs of two layers by this operation."""
    return node.type == "Eltwise" and node.layer.eltwise_param.operation == operation and len(node.sources) == 2
