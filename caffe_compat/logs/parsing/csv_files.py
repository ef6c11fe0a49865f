"""The tables of Caffe's tools/extra/parse_log.py: NumIters, Seconds, LearningRate, then the net's outputs.

They stand apart from the command, which holds flags only.
"""

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from caffe_compat.logs.parsing.reader import Row, TrainingLog


def write_tables(log: TrainingLog, directory: Path, name: str, delimiter: str = ",") -> list[Path]:
    """Writes `<name>.train`, `<name>.test` and, for further test nets, `<name>.test_1` ...; returns the paths."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix, rows in _tables(log):
        path = directory / f"{name}.{suffix}"
        _write_table(rows, path, delimiter)
        written.append(path)
    return written


def _tables(log: TrainingLog) -> Iterator[tuple[str, list[Row]]]:
    yield "train", log.train
    for net, rows in sorted((log.tests or {0: []}).items()):
        yield f"test_{net}" if net else "test", rows


def _write_table(rows: list[Row], path: Path, delimiter: str) -> None:
    """Writes one table with a column for every output of any row. Iterations are floats, as in Caffe's own parser."""
    outputs = list(dict.fromkeys(name for row in rows for name in row.outputs))
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=delimiter)
            writer.writerow(["NumIters", "Seconds", "LearningRate", *outputs])
            for row in rows:
                values = [row.outputs.get(name, "") for name in outputs]
                writer.writerow([float(row.iteration), row.seconds, row.learning_rate, *values])
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
