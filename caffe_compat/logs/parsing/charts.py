"""The eight charts of Caffe's tools/extra/plot_training_log.py, and two of mAP and F1, of one or several logs."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from caffe_compat.errors import DataError
from caffe_compat.logs.parsing.reader import Row, TrainingLog, latest_rows


class Curve(NamedTuple):
    """One line of a chart."""

    label: str
    iterations: list[int]
    seconds: list[float]
    values: list[float]


def _test_outputs(*words: str) -> Callable[[TrainingLog], Iterator[Curve]]:
    """Every output of every test net whose name contains one of the words, in small letters."""

    def curves(log: TrainingLog) -> Iterator[Curve]:
        for net, rows in sorted(log.tests.items()):
            prefix = f"test net #{net} " if len(log.tests) > 1 else ""
            names = dict.fromkeys(name for row in rows for name in row.outputs if _has_word(name, words))
            for name in names:
                yield _curve(prefix + name, [row for row in rows if name in row.outputs], name)

    return curves


def _has_word(name: str, words: Sequence[str]) -> bool:
    return any(word in name.lower() for word in words)


def _learning_rate(log: TrainingLog) -> Iterator[Curve]:
    rows = latest_rows(log.losses)
    yield Curve("", *_axes(rows), [row.learning_rate for row in rows])


def _train_loss(log: TrainingLog) -> Iterator[Curve]:
    yield _curve("", log.losses, "loss")


def _curve(label: str, rows: list[Row], output: str) -> Curve:
    rows = latest_rows(rows)
    return Curve(label, *_axes(rows), [row.outputs[output] for row in rows])


def _axes(rows: list[Row]) -> tuple[list[int], list[float]]:
    return [row.iteration for row in rows], [row.seconds for row in rows]


QUANTITIES: dict[str, Callable[[TrainingLog], Iterator[Curve]]] = {
    "Test accuracy": _test_outputs("acc"),
    "Test loss": _test_outputs("loss"),
    "Train learning rate": _learning_rate,
    "Train loss": _train_loss,
    "Test metrics": _test_outputs("map", "f1-"),  # this program's own, after Caffe's eight charts
}
# Caffe's numbering: for each quantity first over iterations, then over seconds.
CHARTS = [(quantity, axis) for quantity in QUANTITIES for axis in ("Iters", "Seconds")]


def write_chart(number: int, logs: Sequence[tuple[str, TrainingLog]], path: Path) -> None:
    """Draw a chart of named logs, 0 to 9, as PNG; DataError if none of the logs has what it shows."""
    quantity, axis = CHARTS[number]
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for name, log in logs:
        for curve in QUANTITIES[quantity](log):
            if curve.values:
                x = curve.iterations if axis == "Iters" else curve.seconds
                axes.plot(x, curve.values, marker=".", linewidth=0.75, label=f"{name} {curve.label}".rstrip())
    if not axes.lines:
        raise DataError(f"{', '.join(name for name, _ in logs)}: expected {quantity.lower()}, found {_found(logs)}")
    axes.set(title=f"{quantity} vs. {axis}", xlabel=axis, ylabel=quantity)
    legend = axes.legend(loc="lower right" if "accuracy" in quantity else "upper right")
    for text in legend.get_texts():
        text.set_parse_math(False)  # names of files and of blobs may hold dollars
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # letters that the font lacks are drawn as boxes
        figure.savefig(path, format="png", dpi=120)


def _found(logs: Sequence[tuple[str, TrainingLog]]) -> str:
    rows = [row for _, log in logs for rows in log.tests.values() for row in rows]
    names = ", ".join(dict.fromkeys(name for row in rows for name in row.outputs))
    return f"the test outputs {names}; choose another chart type" if names else "no test; set test_interval to have one"
