"""Wiring: which node of a net makes each value, and which nodes read it."""

from collections.abc import Iterable

from caffe_compat.graph.step import Step
from caffe_compat.proto.caffe_pb2 import LayerParameter

#: A value: the node that makes it, and its position among what the node writes.
Value = tuple[int, int]


class Wiring:
    """The connections between nodes that run in order: layers, steps, or operations of a plan.

    A node is given as the names that it reads and the names that it writes, and is known by its number. Each write
    makes a new value, so the values of an in-place layer's bottom and top are told apart.
    """

    def __init__(self, nodes: Iterable[tuple[Iterable[str], Iterable[str]]]) -> None:
        self._reads: list[tuple[str, ...]] = []
        self._writes: list[tuple[str, ...]] = []
        #: For each node, the value behind each name that it reads; None for one that comes from outside.
        self.sources: list[list[Value | None]] = []
        #: The nodes that read a value, in order; a node that reads it twice stands there twice.
        self.uses: dict[Value, list[int]] = {}
        #: The value that each name has at the end.
        self.last: dict[str, Value] = {}
        for reads, writes in nodes:
            self._append(tuple(reads), tuple(writes))

    def _append(self, reads: tuple[str, ...], writes: tuple[str, ...]) -> None:
        number = len(self.sources)
        self._reads.append(reads)
        self._writes.append(writes)
        self.sources.append([self.last.get(name) for name in reads])
        for source in self.sources[-1]:
            if source is not None:
                self.uses[source].append(number)
        for position, name in enumerate(writes):
            self.last[name] = (number, position)
            self.uses[number, position] = []

    @classmethod
    def of_layers(cls, layers: Iterable[LayerParameter]) -> "Wiring":
        """The wiring of layers as a prototxt has them."""
        return cls((layer.bottom, layer.top) for layer in layers)

    @classmethod
    def of_steps(cls, steps: Iterable[Step]) -> "Wiring":
        """The wiring of layers that were set up."""
        return cls((step.bottoms, step.tops) for step in steps)

    def maker(self, node: int, position: int = 0) -> int | None:
        """The node that makes what this node reads at a position; None where it reads nothing, or from outside."""
        source = self.sources[node][position] if position < len(self.sources[node]) else None
        return None if source is None else source[0]

    def makers(self, node: int) -> list[int]:
        """The nodes that make what this node reads, in order, without what comes from outside."""
        return [source[0] for source in self.sources[node] if source is not None]

    def readers(self, node: int) -> list[int]:
        """The nodes that read what this node writes, in order of its tops; once for each use."""
        return [reader for position in range(len(self._writes[node])) for reader in self.uses[node, position]]

    def only_reader(self, node: int) -> int | None:
        """The node that alone, and once, reads the one value that this node writes."""
        readers = self.readers(node) if len(self._writes[node]) == 1 else []
        return readers[0] if len(readers) == 1 else None

    def last_writer(self, name: str) -> int | None:
        """The last node that writes this name."""
        return self.last[name][0] if name in self.last else None

    def unread(self) -> list[str]:
        """The names whose last value nobody reads: a net's outputs."""
        return [name for name, value in self.last.items() if not self.uses[value]]

    def leading_to(self, names: Iterable[str], also: Iterable[int] = ()) -> list[int]:
        """The nodes that the last values of these names depend on, and those in `also` with all that these need."""
        waiting = [self.last[name][0] for name in names if name in self.last] + list(also)
        found: set[int] = set()
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting += self.makers(node)
        return sorted(found)

    def behind(self, nodes: Iterable[int]) -> set[int]:
        """These nodes and all that depend on them."""
        found: set[int] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting += self.readers(node)
        return found

    def last_uses(self, kept: Iterable[str] = ()) -> dict[int, list[str]]:
        """The names that no later node reads or writes, by the node after which they can go; `kept` ones stay."""
        last: dict[str, int] = {}
        for number, (reads, writes) in enumerate(zip(self._reads, self._writes, strict=True)):
            last |= dict.fromkeys((*reads, *writes), number)
        gone: dict[int, list[str]] = {}
        for name in last.keys() - set(kept):
            gone.setdefault(last[name], []).append(name)
        return gone
