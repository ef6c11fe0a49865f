"""Generates caffe_compat/proto/dialects/layer_types.py: a table of which Caffes have a layer type.

`proto` reads and writes files without importing the layers, so it needs these facts in a generated module.
It stands apart from the pages: what it writes is code.
"""

from caffe_compat.layers import layer_types
from caffe_compat.layers.registry import facts_of

HEADER = '''"""Which Caffes know a layer type. Made from the layers' `known_to` by scripts/generate; do not edit."""

KNOWN_TO: dict[str, frozenset[str]] = {
'''


def source() -> str:
    """The source text of the whole module; every call returns the same text."""
    rows = [f'    "{name}": frozenset({{{_listed(name)}}}),\n' for name in layer_types()]
    return "".join([HEADER, *rows, "}\n"])


def _listed(layer_type: str) -> str:
    return ", ".join(f'"{caffe}"' for caffe in facts_of(layer_type).known_to)
