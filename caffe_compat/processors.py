"""Chooses how many threads torch starts and how they wait. Torch reads both once, when it is loaded.

On a machine that is otherwise idle, threads wait for each other quickest by spinning. If more programs run than there
are processors, a spinning thread can keep the processor that the awaited thread needs: a forward takes four to seven
times as long. With threads that sleep it takes twice as long at most. Settings of the environment stay.
"""

import os
import sys
import time

from caffe_compat.cgroups import cgroups, text_of

TYPE_CHECKING = False  # this module is imported before anything else, and stays light
if TYPE_CHECKING:
    from collections.abc import MutableMapping

#: Whoever sets one of these has chosen.
THREADS = {"OMP_NUM_THREADS", "MKL_NUM_THREADS"}
WAITING = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"}

#: The kernel says here how many programs run at this moment, the asking one included.
LOAD = "/proc/loadavg"
#: A cgroup's quota and its period, in microseconds, in one file (version 2) or in two.
QUOTA = "cpu.max"
QUOTA_AND_PERIOD = "cpu.cfs_quota_us", "cpu.cfs_period_us"
LOOKS, SECONDS_BETWEEN_LOOKS = 3, 0.001


def share_processors(environment: "MutableMapping[str, str]" = os.environ) -> None:
    """Sets OMP_NUM_THREADS to a container's limit, and OMP_WAIT_POLICY where the machine is busy.

    Nothing is set once torch is loaded. The number of threads does not depend on the load, because the exact engine's
    last bits depend on that number.
    """
    if "torch" in sys.modules:
        return
    if not THREADS & environment.keys() and (limit := container_limit()) < processors():
        environment["OMP_NUM_THREADS"] = str(limit)
    if not WAITING & environment.keys() and is_busy(_threads(environment.get("OMP_NUM_THREADS", ""))):
        environment["OMP_WAIT_POLICY"] = "passive"


def _threads(setting: str) -> int:
    """Returns the number of threads that OMP_NUM_THREADS asks for: `4`, or `4,2` for nested parallel regions."""
    first = setting.partition(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) else processors()


def processors() -> int:
    """Returns how many processors this program may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def container_limit() -> int:
    """Returns how many processors' time the container may use, rounded up; `processors()` where nothing limits it.

    The container is this program's cgroup, with all that enclose it.
    """
    return min(filter(None, map(_limit, cgroups("cpu"))), default=processors())


def _limit(folder: str) -> int | None:
    """Returns the limit of one cgroup; None where it has none."""
    try:
        in_one_file = os.path.exists(os.path.join(folder, QUOTA))
        texts = text_of(os.path.join(folder, QUOTA)).split() if in_one_file else _texts(folder, QUOTA_AND_PERIOD)
        quota, period = map(int, texts)
    except (OSError, ValueError):  # no cgroup, or its word for "no limit", "max"
        return None
    return -(-quota // period) if quota > 0 and period > 0 else None


def _texts(folder: str, names: "tuple[str, ...]") -> list[str]:
    return [text_of(os.path.join(folder, name)) for name in names]


def is_busy(threads: int) -> bool:
    """Whether `threads` threads beside the programs that run now are more than the machine's processors."""
    room = (os.cpu_count() or 1) - threads
    looks = [others for _ in range(LOOKS) if (others := _others_running()) is not None]
    return bool(looks) and sorted(looks)[len(looks) // 2] > room


def _others_running() -> int | None:
    """Returns how many other threads run or wait for a processor; None where the kernel does not say."""
    try:
        running = text_of(LOAD).split()[3].partition("/")[0]
        time.sleep(SECONDS_BETWEEN_LOOKS)
        return int(running) - 1
    except (OSError, ValueError, IndexError):
        return None
