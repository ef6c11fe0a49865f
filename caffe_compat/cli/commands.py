"""The table of commands, and what runs one of them."""

import importlib
import logging
from collections.abc import Callable, Sequence
from typing import Protocol, cast

from caffe_compat.cli.flags import Flag, Flags, HelpRequested, describe, parse_flags
from caffe_compat.errors import CaffeError
from caffe_compat.logs.glog import environment_level, log_to_stderr

logger = logging.getLogger("caffe_compat")

#: Every command and its line in the list; its module in this package has its name.
COMMANDS = {
    "train": "train or finetune a model",
    "test": "score a model",
    "time": "benchmark model execution time",
    "device_query": "show GPU diagnostic information",
    "upgrade_net_proto_text": "upgrade a net's prototxt to today's format",
    "upgrade_net_proto_binary": "upgrade a .caffemodel to today's format",
    "upgrade_solver_proto_text": "upgrade a solver's prototxt to today's format",
    "convert_imageset": "write images and labels into an LMDB or LevelDB",
    "compute_image_mean": "compute the mean image of an LMDB or LevelDB",
    "extract_features": "write the values of a net's blobs into databases",
    "run": "run an unmodified pycaffe script",
}


class Command(Protocol):
    """What a command's module has."""

    USAGE: str
    FLAGS: Sequence[Flag] | None  # None: the arguments are another program's
    run: Callable[[Flags, list[str]], int]


def run_command(arguments: Sequence[str]) -> int:
    """Runs `arguments[0]` with the rest; returns the exit status: 0, or 1 after an error, which is logged."""
    log_to_stderr(environment_level())
    name = arguments[0].lstrip("-") if arguments else "help"
    if name in ("help", "h"):
        print(_overview())
        return 0
    if name not in COMMANDS:
        logger.critical("Unknown action: %s\n%s", name, _overview())
        return 1
    module = importlib.import_module(f"caffe_compat.cli.{name}")
    return _run(cast(Command, module), name, list(arguments[1:]))


def _run(command: Command, name: str, arguments: list[str]) -> int:
    try:
        if command.FLAGS is None:
            return command.run(Flags(()), arguments)
        return command.run(*parse_flags(arguments, command.FLAGS))
    except HelpRequested:
        print(f"{command.USAGE}\n{describe(command.FLAGS or ())}".rstrip())
        return 0
    except CaffeError as error:
        logger.critical("%s", error)
        return 1


def _overview() -> str:
    lines = [f"  {name:26}{summary}" for name, summary in COMMANDS.items()]
    return "\n".join(["command line brew", "usage: caffe-compat <command> <args>", "", "commands:", *lines])
