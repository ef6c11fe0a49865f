"""Collects new names for layers and for the blobs that they make."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from caffe_compat.convert.rename.blocks import NORMS
from caffe_compat.convert.rename.graph import Node


@dataclass
class RoleNames:
    """New names by old names. A layer's blob gets the layer's new name, unless the role names the blob separately."""

    layers: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, str] = field(default_factory=dict)

    def name(self, node: Node, layer: str, blob: str | None = None) -> None:
        """Names a layer and its blob; does nothing if an earlier role has named the layer."""
        if node.name in self.layers:
            return
        self.layers[node.name] = layer
        in_place = set(node.layer.top) & set(node.layer.bottom)
        if len(node.layer.top) == 1 and not in_place:
            self.blobs[node.layer.top[0]] = blob or layer

    def name_activation(self, node: Node, suffix: str, relu: str) -> Node:
        """Names normalisation and ReLU behind a layer `bn<suffix>`, `scale<suffix>` and `relu`; returns the last one.

        Follows only single readers, so that activations of other paths keep their names.
        """
        norm = node.only_reader(*NORMS)
        if norm is not None:
            node = self.name_norm(norm, suffix)
        active = node.only_reader("ReLU")
        if active is not None:
            self.name(active, relu)
            node = active
        return node

    def name_norm(self, norm: Node, suffix: str) -> Node:
        """Names a BN, or a BatchNorm with its Scale; returns the last named node."""
        self.name(norm, f"bn{suffix}")
        scale = norm.only_reader("Scale")
        if norm.type == "BatchNorm" and scale is not None:
            self.name(scale, f"scale{suffix}")
            return scale
        return norm


def without_clashes(new: Mapping[str, str], old: Iterable[str]) -> dict[str, str]:
    """Returns the new names without clashes: a name goes to the first of several candidates.

    Names that an unchanged layer or blob has are left out.
    """
    known = set(old)
    kept = dict(new)
    while True:
        counts = Counter(kept.get(name, name) for name in known)
        clashing = next((name for name in reversed(kept) if counts[kept[name]] > 1 and kept[name] != name), None)
        if clashing is None:
            return kept
        del kept[clashing]
