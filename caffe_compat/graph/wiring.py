"""A net as it runs: its steps, and the wiring that says which node makes each value and which nodes read it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from torch import Tensor, nn

from caffe_compat.layers.base import Layer, Shape
from caffe_compat.proto.caffe_pb2 import LayerParameter


@dataclass(eq=False)
class Step:
    """A layer with the names of the blobs it reads and writes; an in-place layer writes a blob that it reads.

    The shapes are those with which the net was built. `caffe_compat.net.gradients` computes `needs_backward`,
    `propagate_down` and `weights_need`. `inputs` and `outputs` are the tensors of the last forward.
    """

    layer: Layer
    bottoms: list[str]
    tops: list[str]
    bottom_shapes: list[Shape]
    top_shapes: list[Shape]
    loss_weights: list[float]
    needs_backward: bool = False
    propagate_down: list[bool] = field(default_factory=list)
    weights_need: list[bool] = field(default_factory=list)
    inputs: list[Tensor] = field(default_factory=list)  # bottoms of the last forward, as leaves of its autograd graph
    outputs: list[Tensor] = field(default_factory=list)

    @property
    def learning(self) -> list[nn.Parameter]:
        """The weights whose gradients a backward adds to."""
        everything = self.needs_backward and self.layer.ignores_lr_mult
        return [blob for blob, need in zip(self.layer.blobs, self.weights_need, strict=True) if need or everything]


#: A value: the number of the node that makes it, and the position among the node's outputs.
Value = tuple[int, int]


class Wiring:
    """The connections between nodes that run in order: layers, steps, or operations of a plan.

    Each node is given as the names that it reads and the names that it writes. Methods refer to a node by its index.
    Each write makes a new value, so an in-place layer's bottom and top are different values.
    """

    def __init__(self, nodes: Iterable[tuple[Iterable[str], Iterable[str]]]) -> None:
        self._reads: list[tuple[str, ...]] = []
        self._writes: list[tuple[str, ...]] = []
        #: For each node, the value behind each name that the node reads; None for values from outside.
        self.sources: list[list[Value | None]] = []
        #: The nodes that read a value, in order; a node that reads the value twice occurs twice.
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
        """Returns the wiring of the layers of a prototxt."""
        return cls((layer.bottom, layer.top) for layer in layers)

    @classmethod
    def of_steps(cls, steps: Iterable[Step]) -> "Wiring":
        """Returns the wiring of the steps of a net."""
        return cls((step.bottoms, step.tops) for step in steps)

    def maker(self, node: int, position: int = 0) -> int | None:
        """Returns the node that makes this node's input at a position; None for an input from outside, or no input."""
        source = self.sources[node][position] if position < len(self.sources[node]) else None
        return None if source is None else source[0]

    def makers(self, node: int) -> list[int]:
        """Returns the nodes that make this node's inputs, in order; inputs from outside are left out."""
        return [source[0] for source in self.sources[node] if source is not None]

    def readers(self, node: int) -> list[int]:
        """Returns the nodes that read this node's outputs, in the order of the outputs; once per use."""
        return [reader for position in range(len(self._writes[node])) for reader in self.uses[node, position]]

    def only_reader(self, node: int) -> int | None:
        """Returns the only reader of this node's only output; None for several outputs, readers or uses."""
        readers = self.readers(node) if len(self._writes[node]) == 1 else []
        return readers[0] if len(readers) == 1 else None

    def last_writer(self, name: str) -> int | None:
        """Returns the last node that writes this name; None if no node does."""
        return self.last[name][0] if name in self.last else None

    def unread(self) -> list[str]:
        """Returns the names whose last value no node reads: the outputs of a net."""
        return [name for name, value in self.last.items() if not self.uses[value]]

    def leading_to(self, names: Iterable[str], also: Iterable[int] = ()) -> list[int]:
        """Returns the nodes needed for the last values of `names`, and for the nodes in `also`, in order."""
        waiting = [self.last[name][0] for name in names if name in self.last] + list(also)
        found: set[int] = set()
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting += self.makers(node)
        return sorted(found)

    def behind(self, nodes: Iterable[int]) -> set[int]:
        """Returns these nodes and all nodes that depend on them."""
        found: set[int] = set()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting += self.readers(node)
        return found

    def last_uses(self, kept: Iterable[str] = ()) -> dict[int, list[str]]:
        """Returns, by node, the names that no later node reads or writes, so that they can be freed; skips `kept`."""
        last: dict[str, int] = {}
        for number, (reads, writes) in enumerate(zip(self._reads, self._writes, strict=True)):
            last |= dict.fromkeys((*reads, *writes), number)
        gone: dict[int, list[str]] = {}
        for name in last.keys() - set(kept):
            gone.setdefault(last[name], []).append(name)
        return gone


def find_outputs(steps: list[Step]) -> list[str]:
    """Returns the tops that no layer reads, in alphabetical order (Net::Init keeps them in a std::set)."""
    # The automatic top of a loss without tops is not an output in Caffe.
    return sorted(Wiring((step.bottoms, step.tops[: step.layer.spec.top_count]) for step in steps).unread())
