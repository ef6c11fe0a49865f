"""What the three upgrade commands do with a file (tools/upgrade_*_proto_*.cpp)."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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


def upgrade_file(kind: UpgradeKind, usage: str, arguments: Sequence[str]) -> int:
    """Upgrades `arguments[0]` into `arguments[1]`; returns Caffe's exit status."""
    if len(arguments) != 2:
        logger.error("Usage: %s", usage)
        return 1
    source, target = arguments
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
