"""Every error that this project raises on purpose.

    CaffeError
    ├── FormatError       a file is not what it should be: truncated, foreign, wrong dialect
    │   └── DialectError  a message cannot be said in the dialect asked for
    ├── GraphError        a net does not connect: missing bottoms, duplicate tops, unknown types
    │   ├── UnknownLayerError
    │   └── FieldError    a set field that the layer does not honour, or a value it may not have
    ├── ShapeError        bottoms, weights or records of the wrong shape
    ├── DataError         a data source, image or record that cannot be used
    ├── SolverError       a solver file, state or schedule that cannot be used
    └── MissingFeatureError  something that this build, machine or option does not offer

A message says file, layer and type, what was expected, what was found, and the cure.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches

_LONG_WORD = re.compile(r"\S{300,}")


def for_a_terminal(text: str) -> str:
    """The text of a message with long words cut and unprintable characters escaped; line ends and tabs stay."""
    shortened = _LONG_WORD.sub(lambda word: f"{word[0][:120]}...{word[0][-40:]}", text)
    return "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in shortened)


class CaffeError(Exception):
    """The base of all errors of this project; what a file holds is shown in printable characters, long words cut."""

    def __str__(self) -> str:
        return for_a_terminal(super().__str__())


class FormatError(CaffeError):
    """A file is not what it should be."""


class DialectError(FormatError):
    """A message cannot be said in the dialect asked for."""


class GraphError(CaffeError):
    """A net does not connect."""


class UnknownLayerError(GraphError):
    """No layer has this type."""


class FieldError(GraphError):
    """A field is set that the layer does not honour, or has a value it may not have."""


class ShapeError(CaffeError):
    """Bottoms, weights or records have the wrong shape."""


class DataError(CaffeError):
    """A data source, image or record cannot be used."""


class SolverError(CaffeError):
    """A solver file, state or schedule cannot be used."""


class MissingFeatureError(CaffeError):
    """This build, machine or option does not offer what was asked for."""


def prefix_file(error: CaffeError, file: str) -> CaffeError:
    """The same error with the file's name in front of its message."""
    return type(error)(f"{file}: {error}")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like `name`, without regard to case; None where none is close."""
    folded = {each.lower(): each for each in known}
    found = get_close_matches(name.lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about a name that does not exist: the nearest known name, or the first known ones."""
    names = list(known)
    near = nearest(name, names)
    return f"did you mean '{near}'?" if near else f"known: {some_of(names)}"


def some_of(names: Iterable[str], most: int = 12) -> str:
    """The names joined for a message: the first `most` of them and how many there are, or "none"."""
    every = list(names)
    more = f" ... ({len(every)} in all)" if len(every) > most else ""
    return f"{', '.join(every[:most])}{more}" or "none"
