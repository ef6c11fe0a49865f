"""V1 nets (2014: `layers` with a type number, blobs_lr and weight_decay) to today's `layer`.

Before that, scale, mean_file, crop_size and mirror of V1 data layers become a transform_param.
"""

from google.protobuf.unknown_fields import UnknownFieldSet

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.foreign.types import type_of_v1

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
#: V1 type numbers of facebookarchive/C3D (v1.0) that are other types in BVLC's Caffe, or none.
NUMBERS_OF_C3D = {
    25: "ELTWISE_PRODUCT",
    30: "CONVOLUTION3D",
    31: "POOLING3D",
    32: "VOLUME_DATA",
    33: "VIDEO_DATA",
    34: "DECONVOLUTION3D",
    35: "VIDEO_SEGMENTATION_DATA",
    36: "VOXEL_SOFTMAX",
    37: "VOXEL_SOFTMAX_LOSS",
    38: "VIDEO_WITH_VOXEL_TRUTH_DATA",
    39: "VOXEL_CUSTOM_LOSS",
    40: "DOWN_SAMPLING",
}
#: V1 type numbers in binary files of other Caffes, beyond BVLC's 39; DeconvNet's are from HyeonwooNoh/caffe.
NUMBERS_OF_OTHERS = {
    "C3D": NUMBERS_OF_C3D,
    "HED and CRF-RNN": {40: "CROP"},
    "happynear/caffe-windows": {
        41: "LOCAL",
        42: "BN",
        43: "NORMALIZE",
        44: "INSANITY",
        45: "TRIPLET_LOSS",
        46: "ROIPOOLING",
        47: "BATCH_NORM",
        48: "ELTWISE_AFFINE",
    },
    "MobileNet-YOLO": {61: "RELU6"},
    "DeconvNet": {
        40: "CROP",
        41: "ELTWISE_ACCURACY",
        42: "UNPOOLING",
        43: "BN",
        44: "RED_SOFTMAX_LOSS",
        45: "RED_ACCURACY",
        46: "IMAGE_SEG_DATA",
        47: "WINDOW_SEG_DATA",
        48: "WINDOW_INST_SEG_DATA",
        49: "BIN_ACCURACY",
        50: "WINDOW_CLS_DATA",
        51: "WINDOW_SEG_BINARY",
        52: "SELECT_SEG_BINARY",
        53: "DROPOUT_CHANNEL",
    },
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


def name_types_of_c3d(net: caffe_pb2.NetParameter) -> None:
    """Names the types of a V1 net from a binary file of C3D 1.0, in place, whose numbers are other types in BVLC's."""
    for layer in net.layers:
        number = layer.type if layer.HasField("type") else next(iter(_unknown_numbers(layer)), 0)
        if number in NUMBERS_OF_C3D:
            layer.ClearField("type")
            layer.type_of_another_caffe = type_of_v1(NUMBERS_OF_C3D[number])


def _unknown_numbers(layer: caffe_pb2.V1LayerParameter) -> list[int]:
    """Returns the layer's type numbers that BVLC's enum lacks."""
    field = caffe_pb2.V1LayerParameter.TYPE_FIELD_NUMBER
    return [found.data for found in UnknownFieldSet(layer) if found.field_number == field]


def _refuse_unknown_number(layer: caffe_pb2.V1LayerParameter) -> None:
    """Raises FormatError if a layer of a binary file has a type number that BVLC's enum lacks."""
    numbers = _unknown_numbers(layer)
    if not numbers or layer.HasField("type") or layer.HasField("type_of_another_caffe"):
        return
    known = ", ".join(
        f"{names[numbers[0]]} in {caffe}" for caffe, names in NUMBERS_OF_OTHERS.items() if numbers[0] in names
    )
    raise FormatError(
        f"layer '{layer.name}': type number {numbers[0]} is none of BVLC Caffe's{f' ({known})' if known else ''}, and "
        "other Caffes number their types differently; give the net's own prototxt, which names the type, beside the "
        "weights (--prototxt)"
    )


def _upgrade_layer(old: caffe_pb2.V1LayerParameter) -> caffe_pb2.LayerParameter:
    _refuse_unknown_number(old)
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
