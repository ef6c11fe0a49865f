"""Blobs: a layer's weights and statistics as a list in Caffe's order, stored in a module's parameters and buffers."""

from collections.abc import Iterator
from typing import cast, overload

from torch import Tensor, nn


class Blobs:
    """A list view of a layer's blobs, which are attributes of the layer under the names of its state dict.

    The list refers to the layer's tables, not to the layer, so that no reference cycle keeps the layer alive. Running
    statistics may be buffers; the list returns them as parameters.
    """

    def __init__(
        self,
        parameters: dict[str, nn.Parameter | None],
        buffers: dict[str, Tensor | None],
        names: list[str],
        known: tuple[str, ...] = (),
    ) -> None:
        self._parameters = parameters
        self._buffers = buffers
        self._names = names
        self._known = known

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> nn.Parameter: ...
    @overload
    def __getitem__(self, index: slice) -> list[nn.Parameter]: ...
    def __getitem__(self, index: int | slice) -> nn.Parameter | list[nn.Parameter]:
        if isinstance(index, slice):
            return [self._of(name) for name in self._names[index]]
        return self._of(self._names[index])

    def __setitem__(self, index: int, blob: nn.Parameter) -> None:
        self._parameters[self._names[index]] = blob

    def __iter__(self) -> Iterator[nn.Parameter]:
        return iter([self._of(name) for name in self._names])

    def append(self, blob: nn.Parameter) -> None:
        """Adds a blob under the next name of the layer's class; with too few names, all blobs get numbers."""
        if self._names and len(self._names) == len(self._known):
            for index, name in enumerate(self._names):
                self._parameters[str(index)] = self._parameters.pop(name)
                self._names[index] = str(index)
        named = len(self._names) < len(self._known)
        self._names.append(self._known[len(self._names)] if named else str(len(self._names)))
        self._parameters[self._names[-1]] = blob

    def _of(self, name: str) -> nn.Parameter:
        table = self._parameters if name in self._parameters else self._buffers
        return cast(nn.Parameter, table[name])
