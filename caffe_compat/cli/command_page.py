"""docs/command_line.md, made from the parsers: every command, its flags and their defaults."""

import argparse
import re
from collections.abc import Iterable, Iterator

from caffe_compat.cli.all_parsers import parser_of
from caffe_compat.cli.start import CAFFES, OURS

OPENING = """\
# The command line

*This page is made from the parsers (`python -m caffe_compat.cli docs/command_line.md`); a test says whether it is
fresh.*

`caffe-compat COMMAND ...` is the same as `python -m caffe_compat COMMAND ...`; a clone that is not installed has
the second form, and most commands are a program in `tools/` as well. `caffe-compat --version` prints the version,
`caffe-compat COMMAND --help` the flags of one command with their defaults.

**Spelling.** `--flag value` and `--flag=value`; one dash or two; dashes and underscores are alike (`--batch-size`,
`--batch_size`); flags and arguments stand in any order, `--` ends the flags. A beginning of a flag is enough where
only one flag has it. A switch of Caffe's commands may be turned off: `--nogray`, `--gray=false`. A command, flag,
choice or blob that does not exist is an error that names the nearest one that does.

**Flags that many commands have** mean the same in all of them:

| flag | meaning |
|---|---|
| `--device cpu\\|cuda\\|cuda:0\\|cuda:0,1\\|all` | where to run; Caffe's `--gpu 0,1\\|all\\|none` is the same |
| `--prototxt FILE` | the net; Caffe's `--model` is the same |
| `--weights FILE` | its .caffemodel |
| `--engine exact\\|fast\\|fast-bf16` | every layer on its own, layers fused, or products in bfloat16 |
| `--batch-size N`, `--workers N`, `--seed N` | images at once, processes, start of the random numbers |
| `--labels` | where a command reads labels: their file; of `generate`: their number; of `visualize`: which to draw |
| `--out` | the file or folder to write; it is made or refused before the work |
| `--json` | figures for programs |
| `--quiet` | no progress |

**Exit status.**

{statuses}

**What goes where.** Results go to stdout, progress and errors to stderr. Caffe's commands log as Caffe does, on
stderr, with `GLOG_minloglevel` 0 to 3 for how much. Progress is a bar on a terminal and a line per minute
elsewhere, each with the remaining time. On a terminal the dump of a net is one line; a file that takes the log has
all of it.

**Completion.** `caffe-compat completion bash` (or `zsh`, `tcsh`) prints a script for your shell; README says where
to put it.
"""
#: What each exit status says.
STATUSES = {
    "0": "done; of `verify`: both sides agree",
    "1": "failed, with the reason on stderr; of `verify`: the sides differ",
    "2": "wrong usage: an unknown flag, a missing argument; of `verify`: the sides could not be compared; of the "
    "`upgrade_...` commands, as in Caffe: the file cannot be read",
    "3": "of `train` and `train-stages`: stopped early by a signal, with a snapshot (0 where `--sigint_effect=stop` is "
    "given, as in Caffe)",
    "130": "interrupted by Ctrl-C; of `train`: ended at once by a second Ctrl-C, without a snapshot of that moment",
    "143": "ended by SIGTERM; of `train`: by a second one, for the first stops it as Ctrl-C does",
    "141": "the reader of the output went away, as in `caffe-compat ... \\| head`",
}


def page() -> str:
    """Returns the whole page as Markdown."""
    rows = [f"| {status} | {meaning} |" for status, meaning in STATUSES.items()]
    opening = OPENING.replace("{statuses}", "\n".join(["| status | meaning |", "|---|---|", *rows]))
    return "\n".join([opening, *_group("Caffe's commands", CAFFES), *_group("Other commands", OURS)])


def _group(title: str, commands: Iterable[str]) -> Iterator[str]:
    yield f"## {title}\n"
    for name in commands:
        yield from _command(name, parser_of(name))


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"### {name}\n"
    yield f"{_markdown(parser.description or '')}\n"
    if parser.epilog:
        yield f"```text\n{parser.epilog.partition(chr(10))[2].strip()}\n```\n"
    yield from _table(parser)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice, subparser in action.choices.items():
                yield f"**{name} {choice}**\n"
                yield from _table(subparser)


def _table(parser: argparse.ArgumentParser) -> Iterator[str]:
    rows = [_row(action) for action in parser._actions if _is_shown(action)]
    if rows:
        yield "\n".join(["| argument or flag | default | meaning |", "|---|---|---|", *rows, ""])


def _is_shown(action: argparse.Action) -> bool:
    hidden = action.help == argparse.SUPPRESS or "--help" in action.option_strings
    return not hidden and not isinstance(action, argparse._SubParsersAction)


def _row(action: argparse.Action) -> str:
    cells = (_spellings(action), _default(action), (action.help or "") % _values(action))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _spellings(action: argparse.Action) -> str:
    value = _value(action)
    if not action.option_strings:
        return f"`{value or action.dest}`"
    joined = [f"{option} {value}".rstrip() for option in action.option_strings]
    return ", ".join(f"`{each}`" for each in joined)


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices is not None:
        return "|".join(str(choice) for choice in action.choices)
    takes_value = action.nargs != 0 and bool(action.option_strings)
    return action.dest.upper() if takes_value else ""


def _default(action: argparse.Action) -> str:
    """Returns the default as code; "" where there is none or where the help text states it."""
    if action.required and action.option_strings:
        return "required"
    if action.default in (None, argparse.SUPPRESS, "", False, (), []) or "default" in (action.help or ""):
        return ""
    several = isinstance(action.default, list | tuple)
    return f"`{' '.join(map(str, action.default)) if several else action.default}`"


def _values(action: argparse.Action) -> dict[str, object]:
    """Returns the values that a help text may refer to, as in %(default)s."""
    return dict(vars(action), prog="caffe-compat")


def _markdown(text: str) -> str:
    """Returns a docstring as Markdown: indented lines become a block of code."""

    def block(lines: re.Match[str]) -> str:
        code = re.sub("^    ", "", lines[0], flags=re.MULTILINE).rstrip()
        return f"```text\n{code}\n```\n"

    return re.sub(r"(?:^    .*\n?)+", block, text.strip(), flags=re.MULTILINE)
