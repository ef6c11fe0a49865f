"""Milliseconds between two calls, the GPU's work included (caffe::Timer)."""

import time

import torch

from caffe_compat.net.device import current_device


class Timer:
    """`start()`, `stop()`, then `ms`; a timer that still runs is stopped by reading it."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._milliseconds = 0.0

    def start(self) -> None:
        """Begins anew."""
        self._started = _now()

    def stop(self) -> None:
        """Ends; without a start before it nothing happens."""
        if self._started is not None:
            self._milliseconds = (_now() - self._started) * 1e3
            self._started = None

    @property
    def ms(self) -> float:
        """The time between the last start and its stop, 0 where there was none."""
        self.stop()
        return self._milliseconds


def _now() -> float:
    device = current_device()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
