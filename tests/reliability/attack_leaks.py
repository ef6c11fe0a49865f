"""Builds nets with data layers, runs them and drops them: threads, open files and memory must stay flat.

    python -m tests.reliability.attack_leaks --count 2000

Nets of all data layers take turns, and so do the ways to end them: `del`, `close()`, and `with`. The first tenth is
warming up. The last line is `N nets: +0 threads, +0 files, +M MiB`; the exit status is 1 where something grew.
"""

import argparse
import gc
import logging
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

import caffe_compat as caffe
from tests.reliability.inputs import DATA, make_inputs

#: MiB that allocators may move by over all nets; a leak of one batch per net would be far above.
NOISE = 24.0
WAYS = ("del", "close", "with")


class Held(NamedTuple):
    """What the process holds."""

    threads: int
    files: int
    mebibytes: float


def held() -> Held:
    """What this process holds now."""
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return Held(threading.active_count(), len(os.listdir("/proc/self/fd")), resident / 2**20)


def use(kind: str, way: str) -> None:
    """Builds a net of this data layer, runs it forward and backward, and ends it."""
    net = caffe.Net(f"{kind}.prototxt", caffe.TRAIN)
    if way == "with":
        with net:
            _run(net)
        return
    _run(net)
    if way == "close":
        net.close()
    del net


def _run(net: caffe.Net) -> None:
    net.forward()
    net.backward()


def attack(count: int) -> Held:
    """What the process holds more after `count` nets than after the first tenth of them."""
    kinds = list(DATA)
    gc.disable()  # dropping a net must be enough
    try:
        for number in range(count):
            if number == max(1, count // 10):
                before = held()
            use(kinds[number % len(kinds)], WAYS[number // len(kinds) % len(WAYS)])
            if number % 200 == 0:
                print(number, *held(), flush=True)
        after = held()
    finally:
        gc.enable()
    return Held(after.threads - before.threads, after.files - before.files, after.mebibytes - before.mebibytes)


def main() -> int:
    """Attacks in a new folder; returns 1 where something grew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=2000)
    count = parser.parse_args().count
    logging.getLogger("caffe_compat").setLevel(logging.CRITICAL + 1)
    folder = tempfile.mkdtemp(prefix="attack_")
    os.chdir(folder)
    make_inputs(Path(folder))
    grown = attack(count)
    shutil.rmtree(folder)
    print(f"{count} nets: {grown.threads:+d} threads, {grown.files:+d} files, {grown.mebibytes:+.1f} MiB")
    return int(grown.threads > 0 or grown.files > 0 or grown.mebibytes > NOISE)


if __name__ == "__main__":
    sys.exit(main())
