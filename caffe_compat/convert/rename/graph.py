"""Nodes: layers that know which layers they read from and which read them, for rules about names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from caffe_compat.convert.model import Layer
from caffe_compat.graph.wiring import Wiring


@dataclass(eq=False)
class Node:
    """A layer in its net: `net` holds the nodes of all layers in order, and `wiring` connects them by number."""

    layer: Layer
    number: int
    net: "list[Node]"
    wiring: Wiring

    @cached_property
    def sources(self) -> "list[Node]":
        """The layers that make its bottoms."""
        return [self.net[maker] for maker in self.wiring.makers(self.number)]

    @cached_property
    def readers(self) -> "list[Node]":
        """The layers that read its tops, once for each use."""
        return [self.net[reader] for reader in self.wiring.readers(self.number)]

    @property
    def type(self) -> str:
        return str(self.layer.type)

    @property
    def name(self) -> str:
        return str(self.layer.name)

    def only_reader(self, *types: str) -> "Node | None":
        """Its one reader, if of these types."""
        alone = len(self.readers) == 1 and self.readers[0].type in types
        return self.readers[0] if alone else None

    def readers_of(self, *types: str) -> list["Node"]:
        """Its readers of these types."""
        return [node for node in self.readers if node.type in types]


def graph_of(layers: Sequence[Layer]) -> list[Node]:
    """Nodes in the order of the layers (which have no Splits)."""
    wiring = Wiring.of_layers(layers)
    nodes: list[Node] = []
    nodes += [Node(layer, number, nodes, wiring) for number, layer in enumerate(layers)]
    return nodes


def ancestors(node: Node) -> set[Node]:
    """Every layer that the node depends on, itself included."""
    return {node.net[number] for number in node.wiring.leading_to((), also=[node.number])}


def upwards(node: Node) -> Iterator[Node]:
    """The node, what it reads, and so on, as long as each reads one thing."""
    yield node
    while len(node.sources) == 1:
        (node,) = node.sources
        yield node


def is_eltwise(node: Node, operation: int) -> bool:
    """Whether it combines two blobs by this operation, each as it is."""
    return node.type == "Eltwise" and node.layer.eltwise_param.operation == operation and len(node.sources) == 2
