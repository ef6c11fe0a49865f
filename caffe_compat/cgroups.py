"""The cgroups that may limit this program. It is imported before torch, and stays light.

A container mostly sees its own cgroup as the root; systemd and Slurm make folders below it.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: Names this program's cgroups.
OWN_CGROUPS = "/proc/self/cgroup"
CGROUPS = "/sys/fs/cgroup"


def cgroups(controller: str) -> "Iterator[str]":
    """The folders that may hold a limit of a controller (cpu, memory), of versions 2 and 1.

    First come the roots, then this program's own cgroup with all that enclose it. Not every folder exists.
    """
    roots = CGROUPS, os.path.join(CGROUPS, controller)
    yield from roots
    try:
        lines = [line.split(":", 2) for line in text_of(OWN_CGROUPS).splitlines()]
    except OSError:
        return
    for _, controllers, path in (line for line in lines if len(line) == 3):
        if controllers and controller not in controllers.split(","):
            continue
        while path.strip("/"):
            yield roots[bool(controllers)] + path
            path = os.path.dirname(path)


def text_of(path: str) -> str:
    """Returns the text of a small file of the kernel; OSError where it does not exist."""
    with open(path) as file:
        return file.read()
