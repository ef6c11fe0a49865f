"""Timer: measures milliseconds between two calls, including the GPU's work (caffe::Timer)."""

import time

import torch

from caffe_compat.net.settings import current_device


class Timer:
    """Call `start()` and `stop()`, then read `ms`; reading `ms` stops a running timer."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._milliseconds = 0.0

    def start(self) -> None:
        """Starts the timer again from 0."""
        self._started = _now()

    def stop(self) -> None:
        """Stops the timer; does nothing if it does not run."""
        if self._started is not None:
            self._milliseconds = (_now() - self._started) * 1e3
            self._started = None

    @property
    def ms(self) -> float:
        """The milliseconds between the last start and stop; 0 if the timer was never started."""
        self.stop()
        return self._milliseconds


def _now() -> float:
    device = current_device()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
