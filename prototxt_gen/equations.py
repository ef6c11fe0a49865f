"""A check of Eq. 7: the same scores by the longer way of Eq. 5 and 6, in layers that every Caffe has."""

from typing import Any

from caffe_compat.proto import caffe_pb2

#: The blob of the scores by Eq. 5 and 6.
BY_AVERAGE = "y_att_by_average"
WEIGHTS, BIAS = "srn_conv1_weights", "srn_conv1_bias"


def add_averaged_features(net: caffe_pb2.NetParameter) -> None:
    """Adds Eq. 5 and 6 to a net of the paper's layout: its blob BY_AVERAGE then equals `y_att` up to rounding.

    For each label l, a copy of A^l for each channel multiplies the features X, and the sum over places is v^l (Eq. 5).
    The classifiers of Eq. 6 are one convolution with a group for each label. It shares its weights with "conv1" (the
    layer `srn_conv1`), whose kernels are the W^l of the paper.
    """
    layers = {layer.name: layer for layer in net.layer}
    conv1 = layers["srn_conv1"]
    labels, features = conv1.convolution_param.num_output, conv1.bottom[0]
    channels = _channels(net, features)
    _name_weights(conv1)
    maps = [f"att_map_{label}" for label in range(labels)]
    _add(net, "Slice", "att_map_slice", ["att_map"], maps, slice_param={"axis": 1})
    averages = [_average(net, label, attention, features, channels) for label, attention in enumerate(maps)]
    _add(net, "Concat", "v", averages, ["v"], concat_param={"axis": 1})
    shape = {"dim": [0, labels * channels, 1, 1]}
    _add(net, "Reshape", "v_maps", ["v"], ["v_maps"], reshape_param={"shape": shape})
    classifiers = {"num_output": labels, "kernel_size": [1], "group": labels}
    _name_weights(_add(net, "Convolution", "w_v", ["v_maps"], ["w_v"], convolution_param=classifiers))
    _add(net, "Flatten", BY_AVERAGE, ["w_v"], [BY_AVERAGE])


def _average(net: caffe_pb2.NetParameter, label: int, attention: str, features: str, channels: int) -> str:
    """Adds v^l of Eq. 5 (images, channels); returns its blob."""
    copies, product, average = (f"{name}_{label}" for name in ("att_copies", "att_features", "v"))
    _add(net, "Tile", copies, [attention], [copies], tile_param={"axis": 1, "tiles": channels})
    _add(net, "Eltwise", product, [features, copies], [product], eltwise_param={"operation": "PROD"})
    _add(net, "Reduction", average, [product], [average], reduction_param={"operation": "SUM", "axis": 2})
    return average


def _channels(net: caffe_pb2.NetParameter, blob: str) -> int:
    """The channels of a blob: those of the last convolution that writes it, or one of the blobs that it is made of."""
    for layer in reversed(net.layer):
        if blob in layer.top:
            if layer.type == "Convolution":
                return int(layer.convolution_param.num_output)
            if blob not in layer.bottom:
                return _channels(net, layer.bottom[0])
    raise KeyError(blob)


def _name_weights(layer: caffe_pb2.LayerParameter) -> None:
    """Gives weights and bias the names by which Caffe shares them."""
    while len(layer.param) < 2:
        layer.param.add()
    layer.param[0].name, layer.param[1].name = WEIGHTS, BIAS


def _add(
    net: caffe_pb2.NetParameter, type_name: str, name: str, bottoms: list[str], tops: list[str], **fields: Any
) -> caffe_pb2.LayerParameter:
    return net.layer.add(type=type_name, name=name, bottom=bottoms, top=tops, **fields)
