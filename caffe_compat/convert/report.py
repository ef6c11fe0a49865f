"""Report of a conversion: for every layer its source, its target, their shapes and the changes."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from caffe_compat.convert.model import Model, Shape
from caffe_compat.proto.file_bytes import write_bytes

KEPT = "kept"
HEADINGS = ("source", "type", "shapes", "target", "type", "shapes", "done")


@dataclass(frozen=True)
class ReportRow:
    """A line of the report: a source layer and a target layer; one of the two may be missing (empty strings)."""

    source: str
    source_type: str
    source_shapes: list[Shape]
    target: str
    target_type: str
    target_shapes: list[Shape]
    done: str


@dataclass(eq=False)
class _Trail:
    """A source layer, the present names of the layers made from it, and the changes so far."""

    source: str
    type: str
    shapes: list[Shape]
    names: list[str]
    done: list[str] = field(default_factory=list)


class ConversionReport:
    """Follows the layers of a model through the steps of a conversion; `notes` are about the file as a whole."""

    def __init__(self, model: Model) -> None:
        self.source = model.path
        self.notes: list[str] = [f"dialect {model.dialect}", *model.notes]
        if model.has_gradients:
            self.notes.append("the file's gradients (snapshot_diff) are left out: Caffe does not read them either")
        self._trails = [
            _Trail(layer.name, layer.type, model.shapes(layer.name), [layer.name]) for layer in model.net.layer
        ]
        self._by_name: dict[str, list[_Trail]] = {}
        for trail in self._trails:
            self._follow(trail.source, trail)

    def replaced(self, olds: Sequence[str], news: Sequence[str], what: str) -> None:
        """Records that layers `olds` became layers `news`: renamed, split, joined or folded; `what` is the text."""
        touched = {id(trail): trail for name in olds for trail in self._by_name.pop(name, ())}
        for trail in touched.values():
            kept = [name for name in trail.names if name not in olds]
            trail.names = [*kept, *(name for name in news if name not in kept)]
            trail.done.append(what)
            for name in trail.names:
                self._follow(name, trail)

    def dropped(self, name: str, why: str) -> None:
        """Records that a layer is not in the target, and why."""
        self.replaced([name], [], f"dropped: {why}")

    def noted(self, name: str, what: str) -> None:
        """Records a change of a layer that keeps its name, or a remark about it."""
        self.replaced([name], [name], what)

    def added(self, name: str, what: str) -> None:
        """Records a layer that is new in the target."""
        trail = _Trail("", "", [], [name], [what])
        self._trails.append(trail)
        self._follow(name, trail)

    def _follow(self, name: str, trail: _Trail) -> None:
        followed = self._by_name.setdefault(name, [])
        if trail not in followed:
            followed.append(trail)

    def rows(self, target: Model) -> list[ReportRow]:
        """Returns a row for every pair of source and target layers; `target` is the final model."""
        types = {layer.name: layer.type for layer in target.net.layer}
        rows = []
        for trail in self._trails:
            done = "; ".join(trail.done) or KEPT
            for name in trail.names or [""]:
                shapes = target.shapes(name) if name else []
                rows.append(ReportRow(trail.source, trail.type, trail.shapes, name, types.get(name, ""), shapes, done))
        return rows


def as_text(report: ConversionReport, rows: Sequence[ReportRow]) -> str:
    """Returns the report as text: the notes, then a table with a line per layer."""
    table = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in table]
    return "\n".join([report.source, *report.notes, "", *lines, ""])


def _cells(row: ReportRow) -> tuple[str, ...]:
    return (
        row.source or "-",
        row.source_type,
        _shapes_text(row.source_shapes),
        row.target or "-",
        row.target_type,
        _shapes_text(row.target_shapes),
        row.done,
    )


def _shapes_text(shapes: Sequence[Shape]) -> str:
    return " ".join("x".join(map(str, shape)) or "scalar" for shape in shapes)


def write_report(path: str | Path, report: ConversionReport, rows: Sequence[ReportRow]) -> None:
    """Writes the report as JSON if the path ends in .json, else as text."""
    if str(path).endswith(".json"):
        content = {"source": report.source, "notes": report.notes, "layers": [asdict(row) for row in rows]}
        text = json.dumps(content, indent=1) + "\n"
    else:
        text = as_text(report, rows)
    write_bytes(path, [text.encode()])
