"""One line for each display, where stderr is a terminal; the log lines of Caffe stay as they are."""

import math
import sys
from datetime import timedelta

from tqdm import tqdm

from caffe_compat.srn.watching.events import Event, NetTested, Shown, Start

DIM, PLAIN = "\033[36m", "\033[0m"


class TerminalLine:
    """Prints a summary of each display above the progress bar."""

    def __init__(self) -> None:
        self._start: Start | None = None
        self._last_test: NetTested | None = None

    def write(self, event: Event) -> None:
        """Take an event; only displays print."""
        if isinstance(event, Start):
            self._start = event
        elif isinstance(event, NetTested) and event.net == 0:
            self._last_test = event
        elif isinstance(event, Shown) and self._start is not None:
            tqdm.write(f"{DIM}{summary_line(event, self._start, self._last_test)}{PLAIN}", file=sys.stderr)

    def close(self) -> None:
        """Nothing to do."""


def summary_line(shown: Shown, start: Start, test: NetTested | None) -> str:
    """The display in one line: iteration, loss, learning rate, speed, waiting, time left, and the last test."""
    parts = [f"iteration {shown.iteration}/{start.max_iter}", f"loss {shown.loss:.4g}", f"lr {shown.learning_rate:g}"]
    if shown.images_per_second:
        parts.append(f"{shown.images_per_second:.4g} images/s")
        left = (start.max_iter - shown.iteration) * start.images_per_iteration / shown.images_per_second
        parts.append(f"{timedelta(seconds=round(left))} left")
    if shown.waiting is not None:
        parts.append(f"waiting for data {shown.waiting:.0%}")
    if test is not None:
        known = [f"{name} {100 * value:.1f}" for name, value in test.metrics.items() if not math.isnan(value)]
        parts.append(", ".join([f"test at {test.iteration}: loss {test.loss:.4g}", *known]))
    return "  |  ".join(parts)
