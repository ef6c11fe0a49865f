"""Interleaved timing: contenders take turns, so that other load on the machine falls on all alike."""

import json
import multiprocessing
import platform
import random
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import torch

from caffe_compat.net.settings import set_mode_gpu


def use_gpu_if_there() -> bool:
    """Nets built from now on run on the GPU, if there is one; returns whether there is."""
    if torch.cuda.is_available():
        set_mode_gpu()
    return torch.cuda.is_available()


def take_turns(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each contender in each round, after one round that does not count."""
    return _in_turns({name: partial(_seconds_of, run) for name, run in contenders.items()}, rounds)


def take_turns_in_processes(
    contenders: dict[str, Callable[[], Callable[[], object]]], rounds: int
) -> dict[str, list[float]]:
    """The same, with a process for each contender, so that none works in memory that another has left.

    A contender is a function, importable by name, that returns what is measured.
    """
    spawning = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        pools = {name: stack.enter_context(spawning.Pool(1, _prepare, (make,))) for name, make in contenders.items()}
        return _in_turns({name: partial(pool.apply, _seconds_of_prepared) for name, pool in pools.items()}, rounds)


def _in_turns(contenders: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """What the contenders return in each round after the first; each round has another order.

    What ran before leaves its mark: other data in the caches, and a slower clock behind matrix instructions.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    order = random.Random(0)
    for turn in range(rounds + 1):
        for name in order.sample(list(contenders), len(contenders)):
            took = contenders[name]()
            if turn:
                seconds[name].append(took)
    return seconds


def _seconds_of(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


#: In a contender's process: what is measured.
_prepared: list[Callable[[], object]] = []


def _prepare(make: Callable[[], Callable[[], object]]) -> None:
    _prepared.append(make())


def _seconds_of_prepared() -> float:
    return _seconds_of(_prepared[0])


def ratios(seconds: dict[str, list[float]], reference: str) -> dict[str, float]:
    """Each contender's time over the reference's: the median of the ratios within a round."""
    return {
        name: statistics.median(mine / theirs for mine, theirs in zip(values, seconds[reference], strict=True))
        for name, values in seconds.items()
    }


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    return {
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }


def report(title: str, seconds: dict[str, list[float]], reference: str, file: Path | None, **settings: Any) -> None:
    """Prints a table and, if asked, writes it as JSON beside the machine and the settings."""
    relative = ratios(seconds, reference)
    print(f"{title}\n{'':28s}{'median s':>10s}{'ratio':>8s}")
    for name, values in seconds.items():
        print(f"{name:28s}{statistics.median(values):10.4f}{relative[name]:8.2f}")
    if file is not None:
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        result = {"title": title, "seconds": medians, f"ratio to {reference}": relative}
        file.write_text(json.dumps({**result, "settings": settings, "machine": machine()}, indent=1) + "\n")
