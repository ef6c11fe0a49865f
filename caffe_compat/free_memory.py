"""How much memory programs can still take on this machine."""

import os
from pathlib import Path

from caffe_compat.cgroups import cgroups

#: The kernel says here what programs can still take, counting pages of files that it would give back.
MEMINFO = Path("/proc/meminfo")
#: Of a cgroup (version 2 or 1): the file of its limit, and the line of memory.stat that counts, all below included.
LIMITS = (("memory.max", "anon"), ("memory.limit_in_bytes", "total_rss"))


def free_memory() -> int:
    """Returns the memory that programs can still take, of the machine and of its container, in bytes."""
    rooms = [_room_in_cgroup(Path(folder), *limit) for folder in cgroups("memory") for limit in LIMITS]
    return min([_room_in_machine(), *(max(room, 0) for room in rooms if room is not None)])


def _room_in_machine() -> int:
    try:
        return 1024 * int(_line(MEMINFO, "MemAvailable:").split()[0])
    except (OSError, ValueError, IndexError):  # not Linux
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _room_in_cgroup(folder: Path, limit: str, used: str) -> int | None:
    try:
        return int((folder / limit).read_text()) - int(_line(folder / "memory.stat", f"{used} "))
    except (OSError, ValueError):  # no cgroup, or its word for "no limit", "max"
        return None


def _line(file: Path, start: str) -> str:
    """Returns the rest of the line that starts so."""
    found = [line for line in file.read_text().splitlines() if line.startswith(start)]
    return found[0].removeprefix(start) if found else ""
