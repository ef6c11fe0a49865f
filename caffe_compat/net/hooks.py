"""What runs before and after each layer (Net::Callback): functions of the layer's index."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

LayerHook = Callable[[int], object]


@dataclass
class Hooks:
    """The functions to call around the layers of one direction, in the order in which they were added."""

    before: list[LayerHook] = field(default_factory=list)
    after: list[LayerHook] = field(default_factory=list)

    @contextmanager
    def around(self, layer: int) -> Iterator[None]:
        """Calls them with the index of the layer that runs within."""
        for hook in self.before:
            hook(layer)
        yield
        for hook in self.after:
            hook(layer)
