"""The text of docs/layers.md: one table per family of layers."""

import tempfile
from pathlib import Path

from caffe_compat.catalogue.examples import example_of, write_files
from caffe_compat.catalogue.fields import Fields, fields_of
from caffe_compat.layers import layer_types
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import layer_class
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.proto import caffe_pb2

HEADER = """# Layer types

Made from the registry by `scripts/generate`; do not edit.

A type's name leads to its code. A field that is set but refused is an error that names it. Fields without effect are
accepted: they pick a kernel, or Caffe does not use them there either. A whole message that a layer has no use for is
ignored with a warning, as in Caffe. Old fields that Caffe itself moves when it loads a file, such as data_param.scale
to transform_param.scale, are moved before a layer sees them, and so are refused here; and so are the words of other
Caffes for what BVLC's can say: DeepLab's `hole` is read as `dilation`, `ceil_mode: false` as `round_mode: FLOOR`.
"""
COLUMNS = ("Type", "Known to", "Bottoms", "Tops", "Fields honoured", "Fields without effect", "Fields refused", "Tests")


def markdown() -> str:
    """The text of the whole page; every call returns the same text."""
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder))
        rows = [(*_home(_class_of(name)), _row(name, Path(folder))) for name in layer_types()]
    families = sorted({family for family, _, _ in rows})
    return "\n".join(
        [HEADER, *(_table(family, [row for home, _, row in rows if home == family]) for family in families)]
    )


def _table(family: str, rows: list[str]) -> str:
    head = [f"| {' | '.join(COLUMNS)} |", f"|{' --- |' * len(COLUMNS)}"]
    return "\n".join([f"## {family}", "", *head, *rows]) + "\n"


def _row(layer_type: str, files: Path) -> str:
    kind = _class_of(layer_type)
    family, file = _home(kind)
    fields = fields_of(example_of(layer_type, files))
    cells = (
        f"[{layer_type}](../caffe_compat/layers/{family}/{file}.py)",
        ", ".join(kind.known_to) or "none but caffe-compat",
        str(kind.bottoms).removeprefix("exactly "),
        str(kind.tops).removeprefix("exactly "),
        _listed(fields, fields.honoured - fields.ignored),
        _listed(fields, fields.ignored),
        _listed(fields, fields.refused),
        f"[test_{file}.py](../tests/layers/{family}/test_{file}.py)",
    )
    return f"| {' | '.join(cells)} |"


def _class_of(layer_type: str) -> type[Layer]:
    return layer_class(LayerSpec(caffe_pb2.LayerParameter(type=layer_type)))


def _home(kind: type[Layer]) -> tuple[str, str]:
    """The family and the file of a layer class."""
    family, file = kind.__module__.split(".")[-2:]
    return family, file


def _listed(fields: Fields, names: set[str]) -> str:
    """The names grouped by message, in the order of the schema."""
    messages: dict[str, list[str]] = {}
    for name in fields.every:
        if name in names:
            message, _, last = name.rpartition(".")
            messages.setdefault(message, []).append(last)
    return "; ".join(f"`{message}`: {', '.join(last)}" for message, last in messages.items())
