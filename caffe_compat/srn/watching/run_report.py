"""report.html of a run: curves, AP by class, attention, environment. It is written anew after each test."""

import math
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from caffe_compat.pages.render import write_page
from caffe_compat.srn.watching.event_file import RecordedRun, read_run
from caffe_compat.srn.watching.events import End, Event, NetTested
from caffe_compat.srn.watching.line_chart import Chart, Series, line_chart, sparkline
from caffe_compat.srn.watching.metrics_of_test import FIGURES
from caffe_compat.terminal.progress import duration

EVENTS, REPORT = "metrics.jsonl", "report.html"
#: Tests whose attention is shown: the first, the last and some between.
SHOWN_TESTS = 4
_ATTENTION = re.compile(r"attention_(\d{1,9})_(\d{1,3})\.jpg")


class RunReport:
    """Writes the report of a folder after each test and at the end; the folder's events must be written before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, event: Event) -> None:
        """Write the report anew where the event is a test or the end."""
        if isinstance(event, NetTested | End):
            write_report(self._folder)

    def close(self) -> None:
        """Nothing to do."""


def write_report(folder: Path) -> Path:
    """Write report.html from the events and pictures of a folder; returns its path.

    Raises DataError or FormatError where metrics.jsonl is not what `train --watch` writes.
    """
    run = read_run(folder / EVENTS)
    path = folder / REPORT
    write_page(
        path,
        "run.html",
        title=run.starts[-1].net or folder.name,
        state=_state(run),
        is_wrong=run.end is not None and run.end.reason not in ("done", "stopped"),
        facts=list(_facts(run)),
        charts=[chart for chart in _charts(run) if chart is not None],
        classes=list(_class_tables(run)),
        attention=_attention(folder),
        tests=_test_table(run),
        environments=[
            (f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(start.time))}, from iteration {start.iteration}",
             start.environment)
            for start in run.starts
        ],
    )  # fmt: skip
    return path


def _iteration(run: RecordedRun) -> int:
    last: list[Event] = [run.starts[-1], *run.displays[-1:], *run.tests[-1:]]
    return max(event.iteration for event in ([*last, run.end] if run.end else last))


def _state(run: RecordedRun) -> str:
    reached = f"{_iteration(run):,} of {run.starts[-1].max_iter:,} iterations"
    if run.end is None:
        return f"In training: {reached}."
    if run.end.reason == "done":
        return f"Done: {reached}."
    if run.end.reason == "stopped":
        return f"Stopped early: {reached}. The same command goes on."
    return f"Failed after {reached}: {run.end.reason}"


def _facts(run: RecordedRun) -> Iterator[tuple[str, str]]:
    """What a reader wants to know first, as (name, value)."""
    if run.tests:
        first = [test for test in run.tests if test.net == 0] or run.tests
        for name, value in list(first[-1].metrics.items())[: len(FIGURES)]:  # those of the first scores
            if math.isfinite(value):
                yield f"{name} of the last test, per cent", f"{100 * value:.1f}"
        yield "loss of the last test", f"{first[-1].loss:.4g}"
    if run.displays:
        yield "training loss", f"{run.displays[-1].loss:.4g}"
        speeds = [shown.images_per_second for shown in run.displays if shown.images_per_second]
        if speeds:
            yield "images per second, median", f"{sorted(speeds)[len(speeds) // 2]:.3g}"
        waits = [shown.waiting for shown in run.displays if shown.waiting is not None]
        if waits:
            yield "waiting for data, mean", f"{sum(waits) / len(waits):.0%}".replace("%", " %")
    last = run.end or (run.displays or run.tests or run.starts)[-1]
    yield "since the last start", duration(max(0.0, last.time - run.starts[-1].time))


def _charts(run: RecordedRun) -> Iterator[Chart | None]:
    losses = [Series("training", [(shown.iteration, shown.loss) for shown in run.displays])]
    nets = sorted({test.net for test in run.tests})
    for net in nets:
        name = "test" if len(nets) == 1 else f"test net {net}"
        losses.append(Series(name, [(test.iteration, test.loss) for test in run.tests if test.net == net]))
    yield line_chart("Loss", losses)
    yield line_chart("mAP, F1-C and F1-O, per cent", _metric_series(run))
    yield line_chart(
        "Learning rate", [Series("rate", [(shown.iteration, shown.learning_rate) for shown in run.displays])], True
    )
    speeds = [(s.iteration, s.images_per_second) for s in run.displays if s.images_per_second is not None]
    yield line_chart("Images per second", [Series("training", speeds)], whole=True)
    waits = [(s.iteration, 100 * s.waiting) for s in run.displays if s.waiting is not None]
    yield line_chart("Waiting for data, per cent of the time", [Series("training", waits)], whole=True)


def _metric_series(run: RecordedRun) -> Iterator[Series]:
    names = dict.fromkeys((test.net, name) for test in run.tests for name in test.metrics)
    several = len({net for net, _ in names}) > 1
    for net, name in names:
        points = [(t.iteration, 100 * t.metrics[name]) for t in run.tests if t.net == net and name in t.metrics]
        yield Series(f"{name}, net {net}" if several else name, points)


@dataclass(frozen=True)
class ClassRow:
    """AP of one class in per cent, in words, and its line over time."""

    name: str
    first: str
    best: str
    last: str
    spark: str


@dataclass(frozen=True)
class ClassTable:
    """AP by class of one blob of scores; `scores` is "" where a net has one blob only."""

    scores: str
    first: int
    last: int
    rows: Sequence[ClassRow]


def _class_tables(run: RecordedRun) -> Iterator[ClassTable]:
    tests = [test for test in run.tests if test.net == 0]
    names = list(dict.fromkeys(name for test in tests for name in test.ap))
    for name in names:
        with_ap = [test for test in tests if test.ap.get(name)]
        classes = len(with_ap[-1].ap[name]) if with_ap else 0
        history = [test.ap[name] for test in with_ap if len(test.ap[name]) == classes]
        if history:
            rows = [_class_row(run, index, [ap[index] for ap in history]) for index in range(classes)]
            yield ClassTable(name if len(names) > 1 else "", with_ap[0].iteration, with_ap[-1].iteration, rows)


def _class_row(run: RecordedRun, index: int, values: Sequence[float]) -> ClassRow:
    names = run.starts[-1].class_names
    known = [value for value in values if math.isfinite(value)]
    name = names[index] if index < len(names) else f"class {index + 1}"
    return ClassRow(name, _percent(values[0]), _percent(max(known, default=math.nan)), _percent(values[-1]),
                    sparkline(values))  # fmt: skip


def _percent(value: float) -> str:
    return f"{100 * value:.1f}" if math.isfinite(value) else "-"


def _attention(folder: Path) -> list[tuple[int, list[Path]]]:
    """Pictures by iteration: of the first test, of the last, and of some between."""
    found: dict[int, list[Path]] = {}
    for path in sorted(folder.glob("attention_*.jpg")):
        if match := _ATTENTION.fullmatch(path.name):
            found.setdefault(int(match[1]), []).append(path)
    iterations = sorted(found)
    places = {round(index * (len(iterations) - 1) / (SHOWN_TESTS - 1)) for index in range(SHOWN_TESTS)}
    return [(iterations[place], found[iterations[place]]) for place in sorted(places) if iterations]


@dataclass(frozen=True)
class TableOfTests:
    """One row per test."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def _test_table(run: RecordedRun) -> TableOfTests:
    names = list(dict.fromkeys(name for test in run.tests for name in (*test.outputs, *test.metrics)))
    rows = []
    for test in run.tests:
        figures = test.outputs | test.metrics
        rows.append([str(test.iteration), str(test.net), *(f"{figures[n]:.4g}" if n in figures else "" for n in names)])
    return TableOfTests(["iteration", "net", *names], rows)
