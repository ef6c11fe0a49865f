"""BatchNorm that scales and shifts (NVIDIA's Caffe, Intel's Caffe) as BVLC's two layers, BatchNorm and Scale.

Those Caffes keep slope and bias as blobs 3 and 4 behind BVLC's three statistics (batch_norm_layer.cpp of NVIDIA,
mkldnn_batch_norm_layer.cpp of Intel).
"""

from caffe_compat.proto import caffe_pb2

Net = caffe_pb2.NetParameter
Layer = caffe_pb2.LayerParameter

#: Blobs of BVLC's BatchNorm; what comes after them belongs to Scale.
STATISTICS = 3
#: Fields of either Caffe by which a BatchNorm scales. Intel's `use_weight_bias` is one if it is set and true.
SCALING = ("scale_filler", "bias_filler", "filler")
OF_OTHER_CAFFES = (*SCALING, "scale_bias", "use_weight_bias", "bias_term")


def _scales(layer: Layer) -> bool:
    """Whether a BatchNorm says in another Caffe's words, or by its blobs, that it scales."""
    param = layer.batch_norm_param
    said = param.scale_bias or any(param.HasField(field) for field in SCALING)
    by_intel = param.HasField("use_weight_bias") and param.use_weight_bias
    return layer.type == "BatchNorm" and (said or by_intel or len(layer.blobs) > STATISTICS)


def split_scaled_batch_norms(net: Net) -> list[str]:
    """Writes each as BatchNorm and, on its top, a Scale named after it, in place. Blobs and rates are shared out."""
    names = {layer.name for layer in net.layer}
    layers = []
    for layer in net.layer:
        layers.append(layer)
        if _scales(layer):
            layers.append(_scale_of(layer, names))
        for field in OF_OTHER_CAFFES if layer.HasField("batch_norm_param") else ():
            layer.batch_norm_param.ClearField(field)
    copies = [Layer.FromString(layer.SerializeToString()) for layer in layers]
    net.ClearField("layer")
    net.layer.extend(copies)
    return []


def _scale_of(norm: Layer, names: set[str]) -> Layer:
    """The Scale that runs on the BatchNorm's top, in place; takes what is its own from the BatchNorm."""
    name = f"{norm.name}_scale"
    while name in names:
        name += "_"
    names.add(name)
    param = norm.batch_norm_param
    scale = Layer(name=name, type="Scale", bottom=norm.top, top=norm.top, include=norm.include, exclude=norm.exclude)
    scale.scale_param.bias_term = param.bias_term
    slope = next((field for field in ("scale_filler", "filler") if param.HasField(field)), None)
    if slope:
        scale.scale_param.filler.CopyFrom(getattr(param, slope))
        if not scale.scale_param.filler.HasField("type") and not scale.scale_param.filler.HasField("value"):
            scale.scale_param.filler.value = 1
    if param.HasField("bias_filler"):
        scale.scale_param.bias_filler.CopyFrom(param.bias_filler)
    if norm.HasField("phase"):
        scale.phase = norm.phase
    for field in ("blobs", "param"):
        own = getattr(norm, field)
        getattr(scale, field).extend(own[STATISTICS:])
        del own[STATISTICS:]
    return scale
