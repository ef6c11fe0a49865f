"""Functions that run before and after each layer and get the layer's index (Net::Callback)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

LayerHook = Callable[[int], object]


@dataclass
class Hooks:
    """The functions called around each layer in one direction (forward or backward), in the order of addition."""

    before: list[LayerHook] = field(default_factory=list)
    after: list[LayerHook] = field(default_factory=list)

    @contextmanager
    def around(self, layer: int) -> Iterator[None]:
        """Calls `before`, runs the `with` block, then calls `after`; each function gets the layer's index."""
        for hook in self.before:
            hook(layer)
        yield
        for hook in self.after:
            hook(layer)
