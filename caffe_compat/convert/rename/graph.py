"""Who reads what each layer makes, with in-place layers told apart."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from caffe_compat.convert.model import Layer


@dataclass(eq=False)
class Node:
    """A layer with the layers that made its bottoms, and those that read its tops."""

    layer: Layer
    sources: list["Node"] = field(default_factory=list)
    readers: list["Node"] = field(default_factory=list)

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
    nodes = []
    maker: dict[str, Node] = {}
    for layer in layers:
        node = Node(layer, [maker[bottom] for bottom in layer.bottom if bottom in maker])
        for source in node.sources:
            source.readers.append(node)
        maker |= dict.fromkeys(layer.top, node)
        nodes.append(node)
    return nodes


def ancestors(node: Node) -> set[Node]:
    """Every layer that the node depends on, itself included."""
    found = {node}
    waiting = [node]
    while waiting:
        for source in waiting.pop().sources:
            if source not in found:
                found.add(source)
                waiting.append(source)
    return found


def upwards(node: Node) -> Iterator[Node]:
    """The node, what it reads, and so on, as long as each reads one thing."""
    yield node
    while len(node.sources) == 1:
        (node,) = node.sources
        yield node


def is_eltwise(node: Node, operation: int) -> bool:
    """Whether it combines two blobs by this operation, each as it is."""
    return node.type == "Eltwise" and node.layer.eltwise_param.operation == operation and len(node.sources) == 2
