"""What a Jupyter notebook shows for a net: a row for each layer.

It stands apart from `net`, because only notebooks import it.
"""

from typing import TYPE_CHECKING

from caffe_compat.pages.notebook import notebook_table

if TYPE_CHECKING:
    from caffe_compat.pycaffe.net import Net

_HEADER = ("layer", "type", "reads", "makes", "shape", "weights")


def net_html(net: "Net") -> str:
    """Returns layers with their types, bottoms, tops, shapes of tops and numbers of weights; nothing is computed."""
    weights = {name: sum(blob.count for blob in blobs) for name, blobs in net.params.items()}
    rows = [_row(net, name, layer.type, weights.get(name, 0)) for name, layer in net.layer_dict.items()]
    inputs = ", ".join(f"{name} {_size(net.blobs[name].shape)}" for name in net.inputs) or "from data layers"
    sentence = f"{len(rows)} layers, {sum(weights.values()):,} weights. Inputs: {inputs}. "
    sentence += f"Outputs: {', '.join(net.outputs)}."
    return notebook_table(f"Net {net.name}", sentence, _HEADER, rows)


def _row(net: "Net", name: str, kind: str, weights: int) -> tuple[str, ...]:
    tops = net.top_names[name]
    shapes = ", ".join(_size(net.blobs[top].shape) for top in tops)
    return name, kind, ", ".join(net.bottom_names[name]), ", ".join(tops), shapes, f"{weights:,}" if weights else ""


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"
