"""A net's layers as rows of a table, and as JSON."""

from collections.abc import Sequence
from typing import Any

from caffe_compat.layers.base import Shape
from caffe_compat.view.layer_facts import LayerFacts, totals
from caffe_compat.view.nets import Variant

COLUMNS = ("layer", "type", "reads", "makes", "shape", "parameters", "multiply-adds", "memory", "sees", "learns")
#: Columns of numbers.
NUMBERS = ("parameters", "multiply-adds", "memory", "sees")


def summary_rows(facts: Sequence[LayerFacts]) -> list[tuple[str, ...]]:
    """A row for each layer."""
    return [
        (
            fact.name,
            fact.type,
            ", ".join(fact.bottoms),
            ", ".join(fact.tops),
            ", ".join(shape_text(shape) for shape in fact.top_shapes) or "not known",
            f"{fact.parameters:,}" if fact.parameters else "",
            short(fact.multiply_adds) if fact.multiply_adds else "",
            memory_text(fact.memory) if fact.memory else "",
            "all" if fact.sight.span is None else str(fact.sight.span),
            ("yes" if fact.learns else "fixed") if fact.parameters else "",
        )
        for fact in facts
    ]


def totals_line(facts: Sequence[LayerFacts]) -> str:
    """The totals of all layers in a sentence."""
    total = totals(facts)
    return (
        f"{total['layers']} layers, {total['parameters']:,} parameters, {short(total['multiply_adds'])} multiply-adds "
        f"for a forward pass, {memory_text(total['memory'])} of tops in float32"
    )


def summary_json(variants: Sequence[Variant]) -> list[dict[str, Any]]:
    """For each variant its label, totals and layers; sizes in values and bytes, "sees" null for everything."""
    return [
        {"label": variant.label, "totals": totals(variant.facts), "layers": [_layer(fact) for fact in variant.facts]}
        for variant in variants
    ]


def shape_text(shape: Shape) -> str:
    """(1, 3, 224, 224) as 1x3x224x224, and a single number as "number"."""
    return "x".join(map(str, shape)) or "number"


def short(count: int) -> str:
    """A count in three digits: 8.22 G."""
    for size, unit in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return str(count)


def memory_text(size: int) -> str:
    """Bytes as KiB or MiB."""
    return f"{size / 2**20:.1f} MiB" if size >= 2**20 else f"{size / 2**10:.1f} KiB"


def _layer(fact: LayerFacts) -> dict[str, Any]:
    return {
        "name": fact.name,
        "type": fact.type,
        "bottoms": list(fact.bottoms),
        "tops": list(fact.tops),
        "bottom_shapes": [list(shape) for shape in fact.bottom_shapes],
        "top_shapes": [list(shape) for shape in fact.top_shapes],
        "blob_shapes": [list(shape) for shape in fact.blob_shapes],
        "parameters": fact.parameters,
        "multiply_adds": fact.multiply_adds,
        "memory": fact.memory,
        "sees": fact.sight.span,
        "learns": fact.learns,
        "fields": {field.name: field.value for field in fact.fields},
        "note": fact.note,
    }
