"""V0 nets (2013: everything in `layers { layer { ... } }`) to V1."""

from difflib import get_close_matches
from typing import Any

from google.protobuf.message import Message

from caffe_compat.errors import FormatError, UnknownLayerError, some_of
from caffe_compat.proto import caffe_pb2

Layer = caffe_pb2.V1LayerParameter

V1_TYPES = {
    "accuracy": "ACCURACY",
    "bnll": "BNLL",
    "concat": "CONCAT",
    "conv": "CONVOLUTION",
    "data": "DATA",
    "dropout": "DROPOUT",
    "euclidean_loss": "EUCLIDEAN_LOSS",
    "flatten": "FLATTEN",
    "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT",
    "im2col": "IM2COL",
    "images": "IMAGE_DATA",
    "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING",
    "relu": "RELU",
    "sigmoid": "SIGMOID",
    "softmax": "SOFTMAX",
    "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT",
    "tanh": "TANH",
    "window_data": "WINDOW_DATA",
}

_PARAMS = {
    "conv": "convolution_param",
    "innerproduct": "inner_product_param",
    "pool": "pooling_param",
    "dropout": "dropout_param",
    "lrn": "lrn_param",
    "data": "data_param",
    "hdf5_data": "hdf5_data_param",
    "images": "image_data_param",
    "window_data": "window_data_param",
    "infogain_loss": "infogain_loss_param",
    "concat": "concat_param",
}
# V0 field: its name in the parameter message of a V1 layer, and the V0 types that may set it.
_WEIGHTED = ("conv", "innerproduct")
_WINDOWED = ("conv", "pool")
_READERS = ("data", "hdf5_data", "images", "window_data")
FIELDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "num_output": ("num_output", _WEIGHTED),
    "biasterm": ("bias_term", _WEIGHTED),
    "weight_filler": ("weight_filler", _WEIGHTED),
    "bias_filler": ("bias_filler", _WEIGHTED),
    "pad": ("pad", _WINDOWED),
    "kernelsize": ("kernel_size", _WINDOWED),
    "group": ("group", ("conv",)),
    "stride": ("stride", _WINDOWED),
    "pool": ("pool", ("pool",)),
    "dropout_ratio": ("dropout_ratio", ("dropout",)),
    "local_size": ("local_size", ("lrn",)),
    "alpha": ("alpha", ("lrn",)),
    "beta": ("beta", ("lrn",)),
    "k": ("k", ("lrn",)),
    "source": ("source", (*_READERS, "infogain_loss")),
    "batchsize": ("batch_size", _READERS),
    "rand_skip": ("rand_skip", ("data", "images")),
    "shuffle_images": ("shuffle", ("images",)),
    "new_height": ("new_height", ("images",)),
    "new_width": ("new_width", ("images",)),
    "concat_dim": ("concat_dim", ("concat",)),
    "det_fg_threshold": ("fg_threshold", ("window_data",)),
    "det_bg_threshold": ("bg_threshold", ("window_data",)),
    "det_fg_fraction": ("fg_fraction", ("window_data",)),
    "det_context_pad": ("context_pad", ("window_data",)),
    "det_crop_mode": ("crop_mode", ("window_data",)),
}
# These became transform_param fields, whatever the layer's type.
TRANSFORM_FIELDS = {"scale": "scale", "meanfile": "mean_file", "cropsize": "crop_size", "mirror": "mirror"}
COPIED_LISTS = ("blobs", "blobs_lr", "weight_decay")
NET_FIELDS = ("name", "input", "input_dim", "force_backward", "layers")  # a V0 net has no others


def upgrade_v0(net: caffe_pb2.NetParameter) -> list[str]:
    """Makes every V0 layer of a net a V1 layer, in place; a log line for each field that could not be carried over.

    FormatError where a padding layer cannot be folded, UnknownLayerError where V0 had no such type.
    """
    log: list[str] = []
    layers = [_upgrade_layer(layer, log) for layer in fold_padding(net)]
    for field, _ in net.ListFields():
        if field.name not in NET_FIELDS:
            net.ClearField(field.name)
    net.ClearField("layers")
    net.layers.extend(layers)
    return log


def fold_padding(net: caffe_pb2.NetParameter) -> list[Layer]:
    """The layers without padding layers, whose pad goes to the convolution or pooling that reads them."""
    makers: dict[str, Layer | None] = dict.fromkeys(net.input)
    kept = []
    for source in net.layers:
        layer = Layer()
        layer.CopyFrom(source)
        for index, bottom in enumerate(source.bottom):
            if bottom not in makers:
                raise FormatError(f"layer '{source.layer.name}': no layer or input before it makes bottom '{bottom}'")
            maker = makers[bottom]
            if maker is not None and maker.layer.type == "padding":
                _refuse_unfoldable(maker, source)
                layer.layer.pad = maker.layer.pad
                layer.bottom[index] = maker.bottom[0]
        if source.layer.type != "padding":
            kept.append(layer)
        makers.update(dict.fromkeys(source.top, source))
    return kept


def _refuse_unfoldable(padding: Layer, reader: Layer) -> None:
    what = f"padding layer '{padding.layer.name}' feeds layer '{reader.layer.name}' ({reader.layer.type})"
    if reader.layer.type not in _WINDOWED:
        raise FormatError(f"{what}: only a conv or pool layer can take over its pad")
    if not len(reader.bottom) == len(padding.bottom) == len(padding.top) == 1:
        raise FormatError(f"{what}: both must have one bottom, and the padding layer one top")


def _upgrade_layer(source: Layer, log: list[str]) -> Layer:
    """A V1 layer from a V0 one. What stands beside `layer { }` is lost, bottoms and tops excepted, as in Caffe."""
    old = source.layer
    layer = Layer(bottom=source.bottom, top=source.top, type=_v1_type(old) if old.HasField("type") else None)
    for field, value in old.ListFields():
        if field.name == "name":
            layer.name = value
        elif field.name in COPIED_LISTS:
            getattr(layer, field.name).extend(value)
        elif field.name in TRANSFORM_FIELDS:
            setattr(layer.transform_param, TRANSFORM_FIELDS[field.name], value)
        else:
            _carry_over(layer, old.type, field.name, value, log)
    return layer


def _v1_type(old: caffe_pb2.V0LayerParameter) -> str:
    if old.type in V1_TYPES:
        return V1_TYPES[old.type]
    near = get_close_matches(old.type, V1_TYPES, n=1)
    cure = f"did you mean '{near[0]}'?" if near else f"it had {some_of(V1_TYPES)}"
    raise UnknownLayerError(f"layer '{old.name}' ({old.type}): V0 nets have no layer of this type; {cure}")


def _carry_over(layer: Layer, type_: str, name: str, value: Any, log: list[str]) -> None:
    """Sets a field of the layer's own parameter message, or logs that its type has none."""
    if name == "hdf5_output_param" and type_ == "hdf5_output":
        layer.hdf5_output_param.CopyFrom(value)
    elif name in FIELDS and type_ in FIELDS[name][1]:
        _set(getattr(layer, _PARAMS[type_]), FIELDS[name][0], value)
    elif name in FIELDS or name == "hdf5_output_param":
        log.append(f"Unknown parameter {name} for layer type {type_}")


def _set(message: Any, name: str, value: Any) -> None:
    """Sets a field, which may have become a list (convolution's pad, kernel_size and stride)."""
    if isinstance(value, Message):
        getattr(message, name).CopyFrom(value)
    elif message.DESCRIPTOR.fields_by_name[name].has_presence:
        setattr(message, name, value)
    else:
        getattr(message, name).append(value)
