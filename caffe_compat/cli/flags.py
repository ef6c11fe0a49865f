"""Command lines as gflags reads them: -x v, --x v, -x=v, --x=v; booleans --x, --nox, --x=false."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from caffe_compat.errors import CaffeError

FlagValue = str | int | bool


class FlagError(CaffeError):
    """A command line that cannot be understood."""


class HelpRequested(Exception):  # noqa: N818 - not an error
    """--help is on the command line."""


@dataclass(frozen=True)
class Flag:
    """One flag; the type of its default is its type."""

    name: str
    default: FlagValue
    help: str


class Flags:
    """The values of a command's flags, as attributes."""

    def __init__(self, flags: Sequence[Flag]) -> None:
        self._values: dict[str, FlagValue] = {flag.name: flag.default for flag in flags}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._values:
            raise AttributeError(name)
        return self._values[name]

    def set(self, flag: Flag, text: str) -> None:
        """Takes a value as it stands on the command line."""
        self._values[flag.name] = _convert(flag, text)


def parse_flags(arguments: Sequence[str], flags: Sequence[Flag]) -> tuple[Flags, list[str]]:
    """The flags' values and the arguments that are none; flags may stand anywhere, "--" ends them."""
    known = {flag.name: flag for flag in flags}
    values, rest, waiting = Flags(flags), list[str](), list(arguments)
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            return values, rest + waiting
        if not argument.startswith("-") or argument == "-":
            rest.append(argument)
            continue
        flag, text = _find(argument, known)
        if text is None:
            text = _next_value(flag, waiting)
        values.set(flag, text)
    return values, rest


def _find(argument: str, known: dict[str, Flag]) -> tuple[Flag, str | None]:
    """The flag that an argument names, and its value where the argument has it."""
    name, equals, value = argument.lstrip("-").partition("=")
    name = name.replace("-", "_")
    if name in ("help", "h"):
        raise HelpRequested
    if name in known:
        return known[name], value if equals else None
    negated = known.get(name.removeprefix("no"))
    if negated is not None and isinstance(negated.default, bool) and not equals:
        return negated, "false"
    raise FlagError(f"unknown command line flag '{name}'; known: {', '.join(f'--{flag}' for flag in known)}")


def _next_value(flag: Flag, waiting: list[str]) -> str:
    if isinstance(flag.default, bool):
        return "true"
    if not waiting:
        raise FlagError(f"flag '--{flag.name}' is missing its argument; write --{flag.name}=VALUE")
    return waiting.pop(0)


_BOOLEANS = {
    **dict.fromkeys(("true", "t", "1", "yes", "y"), True),
    **dict.fromkeys(("false", "f", "0", "no", "n"), False),
}


def _convert(flag: Flag, text: str) -> FlagValue:
    if isinstance(flag.default, bool):
        if text.lower() not in _BOOLEANS:
            raise FlagError(f"flag '--{flag.name}': expected true or false, got '{text}'")
        return _BOOLEANS[text.lower()]
    if isinstance(flag.default, int):
        try:
            return int(text)
        except ValueError as error:
            raise FlagError(f"flag '--{flag.name}': expected a whole number, got '{text}'") from error
    return text


def describe(flags: Sequence[Flag]) -> str:
    """A line a flag, for the usage text."""
    return "\n".join(f"  --{flag.name} ({flag.help}) default: {_default(flag)}" for flag in flags)


def _default(flag: Flag) -> str:
    return repr(flag.default).lower() if not isinstance(flag.default, str) else f'"{flag.default}"'
