"""Interleaved timing: contenders take turns, so that other load on the machine falls on all alike."""

import json
import platform
import statistics
import time
from collections.abc import Callable
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
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds + 1):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


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
