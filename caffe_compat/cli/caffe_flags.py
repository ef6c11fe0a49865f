"""Caffe's flags (tools/caffe.cpp), with Caffe's spelling and defaults."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

from caffe_compat.cli.flags import LARGEST_INT32, add_device, add_engine, add_quiet, whole_number
from caffe_compat.cli.parser import BooleanAction, CommandParser
from caffe_compat.data.image_size import DEFAULT_MOST_PIXELS, set_most_pixels
from caffe_compat.net.settings import Surroundings
from caffe_compat.solvers.actions import ACTIONS
from caffe_compat.solvers.guards import POLICIES

logger = logging.getLogger("caffe_compat")

Value = str | int | bool

#: Each flag's default, which determines its type, and its help text.
FLAGS: dict[str, tuple[Value, str]] = {
    "solver": ("", "the solver's prototxt"),
    "model": ("", "the net's prototxt"),
    "phase": ("", "the phase to build the net for: TRAIN or TEST (default: TRAIN)"),
    "level": (0, "the level for the net's include and exclude rules"),
    "stage": ("", "the stages for the net's include and exclude rules, separated by commas; a stage is not a phase"),
    "snapshot": (
        "",
        "the .solverstate to continue from, or auto: the newest complete one with the prefix, if there is one",
    ),
    "keep": (0, "how many snapshots to keep; older ones are removed (default: all)"),
    "on-nan": ("stop", "what to do where a loss, output or gradient is NaN or infinite"),
    "check-data": (False, "read and decode all data once before training"),
    "cache-features": (False, "compute fixed layers once for each image, without random crops; not in Caffe"),
    "max-pixels": (DEFAULT_MOST_PIXELS, "refuse images that declare more pixels"),
    "worker-timeout": (300, "end all processes if one of them does not answer for this many seconds"),
    "weights": ("", "the .caffemodel to start from, several separated by commas; not together with --snapshot"),
    "iterations": (50, "the number of iterations to run"),
    "sigint_effect": ("", "what Ctrl-C (SIGINT) does; without the flag it stops with exit status 3, not Caffe's 0"),
    "sighup_effect": ("snapshot", "what a hang-up (SIGHUP) does"),
    "json": ("", "a file to write the figures to, as JSON; not in Caffe"),
    "log_file": ("", "a file to which the log is appended as well"),
    "allow_python_layers": (False, "let Python layers of the net run the code that they name"),
}
#: The values that a flag accepts, for flags that do not accept any text.
KINDS: dict[str, dict[str, Any]] = {
    "phase": {"choices": ("", "TRAIN", "TEST"), "metavar": "PHASE"},
    "level": {"type": whole_number(most=LARGEST_INT32), "metavar": "N"},
    "iterations": {"type": whole_number(1), "metavar": "N"},
    "json": {"metavar": "FILE"},
    "keep": {"type": whole_number(), "metavar": "N"},
    "on-nan": {"choices": POLICIES},
    "max-pixels": {"type": whole_number(1), "metavar": "N"},
    "worker-timeout": {"type": whole_number(1), "metavar": "SECONDS"},
    "sigint_effect": {"choices": tuple(ACTIONS)},
    "sighup_effect": {"choices": tuple(ACTIONS)},
}
TEXT = {"metavar": "VALUE"}
#: Other spellings of Caffe's flags, from the vocabulary of all commands.
ALIASES = {"model": "--prototxt"}


def add_caffe_flags(parser: CommandParser, own: Sequence[str]) -> None:
    """Declares Caffe's flags. As in Caffe the others are accepted as well, but they have no effect and no help."""
    add_device(parser, "as the solver says" if "solver" in own else "cpu")
    add_engine(parser, shown="engine" in own)
    for name, (default, text) in FLAGS.items():
        spellings = [f"--{name}", ALIASES[name]] if name in ALIASES else [f"--{name}"]
        shown = text if name in own else argparse.SUPPRESS
        if isinstance(default, bool):
            parser.add_argument(*spellings, action=BooleanAction, default=default, help=shown)
        else:
            parser.add_argument(*spellings, default=default, help=shown, **KINDS.get(name, TEXT))
    whole_log = "; the file of --log_file has the whole log" if "log_file" in own else ""
    add_quiet(parser, f"show warnings and errors only{whole_log}")
    parser.set_defaults(own=own)


def warn_of_idle_flags(arguments: argparse.Namespace) -> None:
    """Logs a warning for every flag that is given and has no effect on this command."""
    for name, (default, _) in FLAGS.items():
        if name not in arguments.own and getattr(arguments, name.replace("-", "_")) != default:
            logger.warning("--%s has no effect on this command", name)


def stages_of(arguments: argparse.Namespace) -> list[str]:
    """Returns the stages that --stage names; without the flag one empty stage, as in Caffe."""
    return str(arguments.stage).split(",")


def surroundings_of(arguments: argparse.Namespace) -> Surroundings:
    """Returns what a net needs beyond its prototxt. Modules of Python layers may lie in the current folder."""
    if arguments.allow_python_layers:
        sys.path.append(os.getcwd())
    set_most_pixels(arguments.max_pixels)
    return Surroundings(allow_python_layers=arguments.allow_python_layers)
