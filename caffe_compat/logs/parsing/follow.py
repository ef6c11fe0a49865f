"""Follows logs that are still written: a picture of them is drawn anew whenever they have grown."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from caffe_compat.errors import CaffeError

#: The last words of a training, in the last lines of its log.
LAST_WORDS = (b"Optimization Done.", b"Optimization stopped early.")
TAIL_BYTES = 4096


def follow_logs(
    paths: Sequence[Path],
    draw: Callable[[], object],
    seconds: float,
    say: Callable[[str], object],
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Call `draw` now and whenever a log has changed, looking every `seconds`; ends when all trainings have ended.

    Where there is nothing to draw yet, `say` is told why, once, and the wait goes on.
    """
    seen: list[tuple[int, int]] | None = None
    told = ""
    while True:
        found = [_stamp(path) for path in paths]
        if found != seen:
            seen = found
            try:
                draw()
            except CaffeError as error:
                if str(error) != told:
                    told = str(error)
                    say(f"waiting: {told}")
        if all(map(_has_ended, paths)):
            return
        sleep(seconds)


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of the last change; zeros for a log that is not there yet."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _has_ended(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - TAIL_BYTES))
        tail = log.read(TAIL_BYTES)
    return any(words in tail for words in LAST_WORDS)
