"""The events of a run as JSON lines: written as they happen, and read while the run goes on."""

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from caffe_compat.data.regular_file import other_kind
from caffe_compat.errors import DataError, FormatError
from caffe_compat.logs.log_file import open_to_append
from caffe_compat.srn.watching.events import KINDS, End, Event, NetTested, Shown, Start, as_json

#: Iterations and figures beyond this are no figures of a run; charts could not be drawn with them.
LARGEST = 2**53


class EventFile:
    """Appends events to a file; a resumed run goes on in the same file. DataError where it cannot be written."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and (other := other_kind(path.stat().st_mode)):
            raise DataError(f"{path}: expected a file of events, found {other}; check the path")
        _drop_half_line(path)
        self._file = open_to_append(path, "the events")

    def write(self, event: Event) -> None:
        """Append one line; it is on the disk of this machine when the call returns."""
        self._file.write(json.dumps(as_json(event), allow_nan=False) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass(frozen=True)
class RecordedRun:
    """The events of a run without those that a resumed process went over again."""

    starts: list[Start]
    displays: list[Shown]
    tests: list[NetTested]
    end: End | None


def read_run(path: Path) -> RecordedRun:
    """Read a file of events; half a line at its end is left out.

    Raises DataError if the file cannot be read and FormatError if a line is no event.
    """
    run = RecordedRun([], [], [], None)
    for number, line in _lines(path):
        event = _parse(f"{path}, line {number}", line)
        if isinstance(event, Start):
            _forget_from(run, event.iteration)
            run.starts.append(event)
        elif isinstance(event, Shown):
            run.displays.append(event)
        elif isinstance(event, NetTested):
            run.tests.append(event)
        run = RecordedRun(run.starts, run.displays, run.tests, event if isinstance(event, End) else None)
    if not run.starts:
        raise FormatError(f"{path}: expected the events of a run, one JSON object per line, found none; "
                          "give the metrics.jsonl of a folder that train --watch wrote")  # fmt: skip
    return run


def _forget_from(run: RecordedRun, iteration: int) -> None:
    run.displays[:] = [event for event in run.displays if event.iteration < iteration]
    run.tests[:] = [event for event in run.tests if event.iteration < iteration]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        if kind := other_kind(path.stat().st_mode):
            raise DataError(f"{path}: expected a file of events, found {kind}; check the path")
        with path.open(encoding="utf-8", errors="replace") as lines:
            yield from ((number, line) for number, line in enumerate(lines, start=1) if line.endswith("\n"))
    except OSError as error:
        raise DataError(f"{path}: cannot read the events ({error.strerror}); check the path") from error


def _parse(place: str, line: str) -> Event:
    try:
        content = json.loads(line)
        kind = KINDS[content.pop("event")]
        hints = get_type_hints(kind)
        return kind(**{name: _typed(value, hints[name]) for name, value in content.items()})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise FormatError(
            f"{place}: expected an event of a run, found something else ({ascii(str(error))[1:80]}); "
            "give the metrics.jsonl of a folder that train --watch wrote, or remove the line"
        ) from error


def _typed(value: Any, kind: Any) -> Any:
    """A value of JSON as a field's type has it; null becomes NaN. Raises TypeError or ValueError if it does not fit."""
    inner = get_args(kind)
    if get_origin(kind) is dict and isinstance(value, dict):
        return {name: _typed(item, inner[1]) for name, item in value.items()}
    if get_origin(kind) is list and isinstance(value, list):
        return [_typed(item, inner[0]) for item in value]
    if isinstance(kind, UnionType):
        return None if value is None else _typed(value, inner[0])
    if kind is float and (value is None or type(value) in (int, float)):
        return math.nan if value is None or abs(value) > LARGEST else float(value)
    if type(value) is not kind or (kind is int and abs(value) > LARGEST):
        raise TypeError(f"{ascii(value)[:40]} in place of {kind.__name__ if isinstance(kind, type) else kind}")
    return value


def _drop_half_line(path: Path) -> None:
    """Remove what a run that was killed has left behind its last whole line."""
    if path.is_file():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(path, whole)
