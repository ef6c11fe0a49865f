"""What differs between two nets, layer by layer."""

from collections.abc import Sequence

from caffe_compat.view.layer_facts import LayerFacts

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
