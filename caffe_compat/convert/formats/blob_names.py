"""Names for the blobs of each layer type, in Caffe's order: what a state dict says after the layer's name."""

from collections.abc import Sequence

AFFINE = ("weight", "bias")

#: BatchNorm's are not PyTorch's running statistics but sums, to be divided by the factor (batch_norm_layer.cpp).
BLOB_NAMES: dict[str, tuple[str, ...]] = {
    "Convolution": AFFINE,
    "DepthwiseConvolution": AFFINE,
    "ConvolutionDepthwise": AFFINE,
    "Deconvolution": AFFINE,
    "InnerProduct": AFFINE,
    "Embed": AFFINE,
    "Scale": AFFINE,
    "Bias": ("bias",),
    "PReLU": ("weight",),
    "BN": ("weight", "bias", "running_mean", "running_var"),
    "BatchNorm": ("mean_sum", "variance_sum", "factor"),
    "NormalizeBBox": ("weight",),
    "Normalize": ("weight",),
    "Parameter": ("weight",),
}


def blob_keys(layer: str, layer_type: str, count: int) -> list[str]:
    """State-dict keys for a layer's blobs; `<layer>.<index>` for types without a table entry."""
    names: Sequence[str] = BLOB_NAMES.get(layer_type, ())
    return [f"{layer}.{names[index] if count <= len(names) else index}" for index in range(count)]
