"""V1 nets (2014: `layers` with a type number, blobs_lr and weight_decay) to today's `layer`.

Before that, scale, mean_file, crop_size and mirror of V1 data layers become a transform_param.
"""

from caffe_compat.proto import caffe_pb2

V1 = caffe_pb2.V1LayerParameter
DATA_PARAMS = {V1.DATA: "data_param", V1.IMAGE_DATA: "image_data_param", V1.WINDOW_DATA: "window_data_param"}
TRANSFORM_FIELDS = ("scale", "mean_file", "crop_size", "mirror")

TYPES = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData",
    "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "MVN": "MVN",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "THRESHOLD": "Threshold",
    "WINDOW_DATA": "WindowData",
}
# V1's lists, with one entry per weight blob, and the field of ParamSpec that each list became.
PARAM_LISTS = {"param": "name", "blob_share_mode": "share_mode", "blobs_lr": "lr_mult", "weight_decay": "decay_mult"}
COPIED_LISTS = ("bottom", "top", "include", "exclude", "blobs", "loss_weight")


def upgrade_v1(net: caffe_pb2.NetParameter) -> list[str]:
    """Replaces every V1 layer of a net by a layer of today, in place. Returns a log line for each loss."""
    log = []
    if net.layer:
        log.append("Input NetParameter to be upgraded already specifies 'layer' fields; these will be ignored.")
    layers = [_upgrade_layer(layer) for layer in net.layers]
    for index, layer in enumerate(net.layers):
        if layer.HasField("layer"):
            log.append(f"Input layer {index} has a V0 'layer' field, which is ignored.")
    net.ClearField("layer")
    net.ClearField("layers")
    net.layer.extend(layers)
    return log


def _upgrade_layer(old: caffe_pb2.V1LayerParameter) -> caffe_pb2.LayerParameter:
    layer = caffe_pb2.LayerParameter()
    for field, value in old.ListFields():
        if field.name == "name":
            layer.name = value
        elif field.name == "type":
            layer.type = TYPES[caffe_pb2.V1LayerParameter.LayerType.Name(value)]
        elif field.name == "type_of_another_caffe":
            layer.type = value
        elif field.name in COPIED_LISTS:
            getattr(layer, field.name).extend(value)
        elif field.name in PARAM_LISTS:
            for index, item in enumerate(value):
                if len(layer.param) <= index:
                    layer.param.add()
                setattr(layer.param[index], PARAM_LISTS[field.name], item)
        elif field.name != "layer":  # the parameter message of a type, whose name stayed
            getattr(layer, field.name).CopyFrom(value)
    return layer


def needs_transform_fields_moved(net: caffe_pb2.NetParameter) -> bool:
    """Whether a V1 data layer holds a field that belongs into transform_param."""
    return any(
        getattr(layer, DATA_PARAMS[layer.type]).HasField(field)
        for layer in net.layers
        if layer.type in DATA_PARAMS
        for field in TRANSFORM_FIELDS
    )


def move_transform_fields(net: caffe_pb2.NetParameter) -> list[str]:
    """Moves the fields, in place. Every data layer gets both messages, even where they stay empty, as in Caffe."""
    for layer in net.layers:
        if layer.type not in DATA_PARAMS:
            continue
        data_param = getattr(layer, DATA_PARAMS[layer.type])
        data_param.SetInParent()
        layer.transform_param.SetInParent()
        for field in TRANSFORM_FIELDS:
            if data_param.HasField(field):
                setattr(layer.transform_param, field, getattr(data_param, field))
                data_param.ClearField(field)
    return []
