"""State-dict keys of a layer's blobs."""

from caffe_compat.layers.registry import facts_of


def blob_keys(layer: str, layer_type: str, count: int) -> list[str]:
    """Returns the keys of `count` blobs: `<layer>.<name>`, or `<layer>.<index>` if the layer's class names fewer."""
    names = facts_of(layer_type).blob_names
    return [f"{layer}.{names[index] if count <= len(names) else index}" for index in range(count)]
