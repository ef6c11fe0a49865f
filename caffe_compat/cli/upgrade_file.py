"""What the three upgrade commands do with a file (tools/upgrade_*_proto_*.cpp)."""

import argparse
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from caffe_compat.cli.flags import add_quiet
from caffe_compat.cli.outputs import claim_files
from caffe_compat.cli.parser import CommandParser
from caffe_compat.cli.start import command_parser
from caffe_compat.errors import FormatError
from caffe_compat.proto.upgrade import PROBLEMS

logger = logging.getLogger("caffe_compat")


@dataclass(frozen=True)
class UpgradeKind:
    """One kind of file: how it is read, upgraded in place (the result is log lines), and written."""

    format: str  # text or binary
    message: str
    read: Callable[[str], Any]
    upgrade: Callable[[Any, str], list[str]]
    write: Callable[[str, Any], None]


def upgrade_parser(command: str, what: str) -> CommandParser:
    """The command line of the upgrade of `what`."""
    result = command_parser(
        command, f"Rewrite {what} of any age in today's format.", f"caffe-compat {command} old.file new.file"
    )
    result.add_argument("source", metavar="IN", help="the file to read")
    result.add_argument("target", metavar="OUT", help="the file to write")
    add_quiet(result, "log warnings and errors only")
    return result


def run_upgrade(kind: UpgradeKind, arguments: argparse.Namespace) -> int:
    """Upgrades the source into the target; returns Caffe's exit status.

    The status is 0, or 1 where fields could not be carried over, or 2 where the source cannot be read.
    """
    source, target = arguments.source, arguments.target
    claim_files([target])
    try:
        content = kind.read(source)
    except FormatError as error:
        logger.error("Failed to parse input %s file as %s: %s", kind.format, kind.message, error)
        return 2
    lines = kind.upgrade(content, source)
    for line in lines or [f"File already in latest proto format: {source}"]:
        logger.error("%s", line)
    kind.write(target, content)
    logger.info("Wrote upgraded %s %s proto to %s", kind.message, kind.format, target)
    return int(any(line.startswith(PROBLEMS) for line in lines))
