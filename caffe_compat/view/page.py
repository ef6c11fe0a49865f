"""The page to explore a net: its layers, and how they differ from another net's, as JSON inside explorer.html."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from caffe_compat.layers.registry import layer_class
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.pages.render import data_uri, write_page
from caffe_compat.proto import caffe_pb2
from caffe_compat.view.layer_facts import LayerFacts, totals
from caffe_compat.view.nets import ShownNet, Variant
from caffe_compat.view.weight_facts import blob_facts, first_filters

#: A field or fact, its value in the first net and in the second; "" where a net has none.
Change = tuple[str, str, str]
#: For each layer: "same", "changed" or "added", and what changed.
Changes = dict[str, tuple[str, list[Change]]]


def differences(first: Sequence[LayerFacts], second: Sequence[LayerFacts]) -> tuple[Changes, Changes]:
    """The changes seen from each net; layers are paired by name, and one without a pair is "added"."""
    ours, theirs = ({fact.name: fact for fact in facts} for facts in (first, second))
    found = {name: _changes(fact, theirs[name]) for name, fact in ours.items() if name in theirs}
    return _seen_from(ours, found), _seen_from(theirs, found)


def _seen_from(net: dict[str, LayerFacts], found: dict[str, list[Change]]) -> Changes:
    kinds = {name: "changed" if changes else "same" for name, changes in found.items()}
    return {name: (kinds.get(name, "added"), found.get(name, [])) for name in net}


def _changes(one: LayerFacts, other: LayerFacts) -> list[Change]:
    pairs = {name: (value, _described(other)[name]) for name, value in _described(one).items()}
    fields = [{field.name: field.value for field in fact.fields} for fact in (one, other)]
    for name in sorted(fields[0].keys() | fields[1].keys()):
        pairs[name] = (fields[0].get(name, ""), fields[1].get(name, ""))
    return [(name, *values) for name, values in pairs.items() if values[0] != values[1]]


def _described(fact: LayerFacts) -> dict[str, str]:
    return {
        "type": fact.type,
        "bottoms": ", ".join(fact.bottoms),
        "tops": ", ".join(fact.tops),
        "top shapes": str([list(shape) for shape in fact.top_shapes]),
        "lr_mult": ", ".join(f"{rate:g}" for rate in fact.lr_mults),
    }


#: For each layer its verdict and largest error, as the JSON report of `verify` has them.
Parity = Mapping[str, Mapping[str, Any]]


def write_net_page(path: Path, net: ShownNet, other: ShownNet | None = None, parity: Parity | None = None) -> None:
    """Writes the page as one HTML file that needs no other; `other` is shown beside the net, with what differs."""
    write_page(path, "explorer.html", title=_title(net, other), data=_as_script(page_data(net, other, parity or {})))


def page_data(net: ShownNet, other: ShownNet | None, parity: Parity) -> dict[str, Any]:
    """Everything that the page's script reads."""
    variants = [_variant(variant, net) for variant in net.variants]
    if other is not None:
        variants = [_variant(net.variants[0], net), _variant(other.variants[0], other)]
        variants[0]["label"], variants[1]["label"] = net.title, other.title
        for layers, changes in zip(variants, differences(net.variants[0].facts, other.variants[0].facts), strict=True):
            for layer in layers["layers"]:
                layer["difference"], layer["changes"] = changes[layer["name"]]
    for layer in variants[0]["layers"]:
        if layer["name"] in parity:
            layer["parity"] = parity[layer["name"]]
    return {
        "title": _title(net, other),
        "variants": variants,
        "notes": [*net.notes, *(other.notes if other else ())],
        "compared": other is not None,
        "verdicts": sorted({entry["verdict"] for entry in parity.values()}),
    }


def _title(net: ShownNet, other: ShownNet | None) -> str:
    return f"{net.title} and {other.title}" if other else net.title


def _variant(variant: Variant, net: ShownNet) -> dict[str, Any]:
    blobs = net.weights.blobs if net.weights else {}
    filters = first_filters(blobs)
    layers = [_layer(fact) for fact in variant.facts]
    for layer in layers:
        layer["weights"] = [_blob(number, blob) for number, blob in enumerate(blobs.get(layer["name"], ()))]
        if layer["name"] in filters:
            layer["filters"] = data_uri(filters[layer["name"]])
    return {"label": variant.label, "layers": layers, "totals": totals(variant.facts)}


def _layer(fact: LayerFacts) -> dict[str, Any]:
    return {
        "name": fact.name,
        "type": fact.type,
        "family": _family(fact.type),
        "bottoms": list(fact.bottoms),
        "tops": list(fact.tops),
        "bottomShapes": _shapes(fact.bottom_shapes),
        "topShapes": _shapes(fact.top_shapes),
        "blobShapes": _shapes(fact.blob_shapes),
        "parameters": fact.parameters,
        "multiplyAdds": fact.multiply_adds,
        "memory": fact.memory,
        "sees": fact.sight.span,
        "step": fact.sight.step,
        "learns": fact.learns,
        "lrMults": [float(f"{rate:g}") for rate in fact.lr_mults],
        "fields": [[field.name, field.value, field.is_set] for field in fact.fields],
        "note": fact.note,
    }


def _shapes(shapes: Sequence[Sequence[int]]) -> list[list[int]]:
    return [list(shape) for shape in shapes]


def _family(type_name: str) -> str:
    """The folder of the layer's class: vision, activation, loss and so on."""
    spec = LayerSpec(caffe_pb2.LayerParameter(type=type_name))
    return layer_class(spec).__module__.split(".")[-2]


def _blob(number: int, blob: Any) -> dict[str, Any]:
    facts = blob_facts(blob)
    return {
        "name": f"blob {number}",
        "shape": list(facts.shape),
        "counts": list(facts.counts),
        "least": f"{facts.least:.4g}",
        "most": f"{facts.most:.4g}",
        "mean": f"{facts.mean:.4g}",
        "deviation": f"{facts.deviation:.4g}",
    }


def _as_script(data: dict[str, Any]) -> Markup:
    """JSON that may stand inside <script>: no text of a net can end the element or start a comment."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
