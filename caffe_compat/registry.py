"""A table of what is registered under names: layers by type, update rules by the type of a solver."""

from collections.abc import Callable
from typing import Self, TypeVar

from caffe_compat.errors import CaffeError

Kind = TypeVar("Kind")


class Registry(dict[str, Kind]):
    """What is registered, by name, in the order of registration; `what` says what a name is, for the error."""

    def __init__(self, what: str, error: type[CaffeError]) -> None:
        super().__init__()
        self._what = what
        self._error = error

    def register(self, *names: str) -> Callable[[Kind], Kind]:
        """Returns a decorator that registers a class under these names; the registry's error for a name in use."""

        def register(kind: Kind) -> Kind:
            for name in names:
                if name in self:
                    raise self._error(f"{self._what} '{name}' is registered already, by {_name_of(self[name])}")
                self[name] = kind
            return kind

        return register

    def copy(self) -> Self:
        """Returns a registry of the same entries, which can be added to alone."""
        same = type(self)(self._what, self._error)
        same.update(self)
        return same


def _name_of(kind: object) -> str:
    return getattr(kind, "__name__", str(kind))
