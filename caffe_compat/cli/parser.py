"""Command lines: argparse with gflags' spellings, the nearest name for a wrong one, and defaults in every help text."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from caffe_compat.errors import CaffeError, nearest


class UsageError(CaffeError):
    """A command line that cannot be understood."""


class BooleanAction(argparse.Action):
    """A switch as gflags reads it: --x, --nox, --no-x, --x=false."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, default: bool = False, help: str | None = None
    ) -> None:
        super().__init__(option_strings, dest, nargs="?", const=True, default=default, help=help, metavar="true|false")

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object,
                 option_string: str | None = None) -> None:  # fmt: skip
        if isinstance(values, str):
            values = _boolean(values, option_string or "")
        setattr(namespace, self.dest, values)


_BOOLEANS = {
    **dict.fromkeys(("true", "t", "1", "yes", "y"), True),
    **dict.fromkeys(("false", "f", "0", "no", "n"), False),
}


def _boolean(text: str, flag: str) -> bool:
    if text.lower() not in _BOOLEANS:
        raise UsageError(f"flag '{flag}': expected true or false, found '{text}'")
    return _BOOLEANS[text.lower()]


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Every flag with its default, unless the text states it or there is none."""

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        silent = action.default in (None, argparse.SUPPRESS, "", False, (), []) or "default" in text
        return text if silent or not action.option_strings else f"{text} (default: %(default)s)"


class CommandParser(argparse.ArgumentParser):
    """The parser of one command. Underscores and dashes, one dash and two are alike; flags may stand anywhere.

    `logs` says that errors are lines of Caffe's log.
    """

    logs = False

    def __init__(self, *given: Any, **others: Any) -> None:
        super().__init__(*given, **{"formatter_class": HelpFormatter, **others})

    def error(self, message: str) -> NoReturn:
        """Raises UsageError: the caller decides how errors are shown."""
        raise UsageError(message)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses like argparse; an argument that is left over is a UsageError."""
        parsed, left = self.parse_known_args(args, namespace)
        if left := [argument for argument in left if argument != "--"]:
            raise UsageError(f"unexpected argument '{left[0]}'; {self.prog} --help shows what is expected")
        return parsed

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses like argparse, after all spellings in `args` became those that this parser declares."""
        return super().parse_known_args(Spellings(self).normalise(args), namespace)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices if choice != ""]
        near = nearest(str(value), known)
        cure = f"; did you mean '{near}'?" if near else ""
        raise argparse.ArgumentError(action, f"invalid choice: {value!r} (choose from {', '.join(known)}){cure}")


class Spellings:
    """Rewrites one command line into the flags that a parser declares."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self.parser = parser
        self.actions: dict[str, argparse.Action] = {}
        for action in parser._actions:
            self.actions |= {_plain(option): action for option in action.option_strings}
        self.has_subcommands = any(isinstance(action, argparse._SubParsersAction) for action in parser._actions)
        self.passes_on = any(action.nargs == argparse.REMAINDER for action in parser._actions)

    def normalise(self, arguments: Sequence[str] | None) -> list[str]:
        """Flags in the parser's own spelling with `=` before their value, then what is no flag, in its order.

        What belongs to a subcommand or to another program stands as it is.
        """
        waiting, flags, others = list(arguments or ()), list[str](), list[str]()
        while waiting:
            argument = waiting.pop(0)
            is_flag = argument.startswith("-") and argument != "-" and not _is_number(argument)
            if self._belongs_to_another(argument, is_flag):
                return [*flags, *(["--"] if is_flag else []), argument, *waiting]
            if argument == "--":
                others += waiting
                break
            if is_flag:
                flags += [self._rewritten(argument, waiting), *self._further_values(argument, waiting)]
            else:
                others.append(argument)
        return [*flags, "--", *others] if others else flags

    def _belongs_to_another(self, argument: str, is_flag: bool) -> bool:
        """Tells whether a subcommand, or the arguments of another program, start here."""
        if self.has_subcommands:
            return not is_flag
        return self.passes_on and _plain(argument.partition("=")[0]) not in self.actions

    def _further_values(self, argument: str, waiting: list[str]) -> list[str]:
        """Takes and returns the values of a flag that has several: all that follow it up to the next flag."""
        action = self.actions.get(_plain(argument.partition("=")[0]))
        values = list[str]()
        if action is None or action.nargs not in ("+", "*"):
            return values
        while waiting and (not waiting[0].startswith("-") or _is_number(waiting[0])):
            values.append(waiting.pop(0))
        return values

    def _rewritten(self, argument: str, waiting: list[str]) -> str:
        """Returns one flag with its value, which is the next argument where `=` is missing."""
        written, equals, value = argument.partition("=")
        name = _plain(written)
        action = self.actions.get(name)
        if action is None and not equals and (negated := self._negated(name)):
            return f"{negated.option_strings[0]}=false"
        action = action or self._abbreviated(written, name)
        option = next((each for each in action.option_strings if _plain(each) == name), action.option_strings[0])
        if isinstance(action, BooleanAction):
            return f"{option}={value or 'true'}"
        if action.nargs is None and not equals:
            if not waiting:
                raise UsageError(f"flag '{option}' is missing its argument; write {option}=VALUE")
            value = waiting.pop(0)
        return option if action.nargs is not None and not equals else f"{option}={value}"

    def _negated(self, name: str) -> argparse.Action | None:
        """Returns the switch that --noNAME or --no-NAME turns off, or None."""
        bare = name.removeprefix("no").removeprefix("-")
        found = self.actions.get(bare) if name.startswith("no") else None
        return found if isinstance(found, BooleanAction) else None

    def _abbreviated(self, written: str, name: str) -> argparse.Action:
        """Returns the only flag that starts with `name`; UsageError with the nearest flag where there is none."""
        matching = {id(action): action for known, action in self.actions.items() if known.startswith(name)}
        if len(matching) == 1 and self.parser.allow_abbrev:
            return next(iter(matching.values()))
        shown = [action.option_strings[0] for action in self.parser._actions if action.option_strings and
                 action.help != argparse.SUPPRESS]  # fmt: skip
        near = nearest(name, self.actions)
        cure = f"did you mean '{self._option(near)}'?" if near else f"known: {', '.join(shown)}"
        raise UsageError(f"unknown flag '{written}'; {cure}")

    def _option(self, name: str) -> str:
        return next(option for option in self.actions[name].option_strings if _plain(option) == name)


def _plain(option: str) -> str:
    """Returns an option without the dashes in front of it and with dashes in place of underscores."""
    return option.lstrip("-").replace("_", "-")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
