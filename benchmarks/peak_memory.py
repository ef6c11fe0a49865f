"""How much memory does a training step of the small SRN take: our engines, hand-written eager PyTorch?

    python benchmarks/peak_memory.py [--depth 26] [--width 16] [--size 96] [--batch 64] [--json FILE]

Each contender runs three steps in a process of its own; what counts is the process's peak above what it held before
the net was made. Linux, CPU.
"""

import argparse
import json
import multiprocessing
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import machine
from benchmarks.training_step import eager_step, engine_step

ENGINES = ("exact", "fast", "fast-bf16")
#: Hand-written nets and whether they are channels-last.
EAGER = {"eager PyTorch": False, "eager, channels-last": True}


def step_of(name: str, arguments: argparse.Namespace) -> Callable[[], None]:
    """One training step of a contender."""
    if name in EAGER:
        return eager_step(arguments, EAGER[name])
    return engine_step(name.removesuffix(" engine"), arguments)


def peak(name: str, arguments: argparse.Namespace) -> float:
    """MiB of three steps."""
    torch.conv2d(torch.zeros(1, 1, 3, 3), torch.zeros(1, 1, 1, 1))  # torch's own start-up does not count
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    step = step_of(name, arguments)
    for _ in range(3):
        step()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("depth", 26), ("width", 16), ("size", 96), ("batch", 64)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    contenders = [*EAGER, *(f"{engine} engine" for engine in ENGINES)]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as fresh_process:
        peaks = {name: fresh_process.apply(peak, (name, arguments)) for name in contenders}
    relative = {name: value / peaks["eager PyTorch"] for name, value in peaks.items()}
    for name, value in peaks.items():
        print(f"{name:28s}{value:10.0f} MiB{relative[name]:8.2f}")
    if arguments.json is not None:
        settings = {name: value for name, value in vars(arguments).items() if name != "json"}
        result = {"title": "peak memory of a training step", "MiB": peaks, "ratio to eager PyTorch": relative}
        arguments.json.write_text(json.dumps({**result, "settings": settings, "machine": machine()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
