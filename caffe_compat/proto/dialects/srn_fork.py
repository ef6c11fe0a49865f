"""Translates nets to the Caffe that ships with SRN, which writes inputs, windows and normalisation differently."""

from collections.abc import Iterable

from caffe_compat.errors import DialectError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.upgrade.on_load import first_reader, hand_on

Layer = caffe_pb2.LayerParameter
Loss = caffe_pb2.LossParameter

# Lists of BVLC's ConvolutionParameter and the fields that hold height and width in both Caffes.
WINDOW_FIELDS = {
    "pad": ("pad_h", "pad_w"),
    "kernel_size": ("kernel_h", "kernel_w"),
    "stride": ("stride_h", "stride_w"),
}
# By layer type, the fork's `normalize` for each value of `normalization`; None: the fork's only behaviour.
NORMALIZE: dict[str, dict[int, bool | None]] = {
    "SoftmaxWithLoss": {Loss.VALID: True, Loss.BATCH_SIZE: False},
    "SigmoidCrossEntropyLoss": {Loss.BATCH_SIZE: None},
}


def in_words_of_srn_fork(net: caffe_pb2.NetParameter) -> caffe_pb2.NetParameter:
    """Returns a copy of the net with fields translated for the fork; other fields stay, and writing them fails."""
    copy = caffe_pb2.NetParameter()
    copy.CopyFrom(net)
    copy.ClearField("layer")
    inputs = [Layer.FromString(layer.SerializeToString()) for layer in net.layer if layer.type == "Input"]
    for layer in net.layer:
        if layer.type != "Input":
            copy.layer.add().CopyFrom(layer)
    for layer in inputs:
        _hand_on(layer, copy.layer)
    _name_inputs(copy, inputs)
    for layer in copy.layer:
        if layer.HasField("convolution_param"):
            _split_windows(layer.convolution_param)
        if layer.loss_param.HasField("normalization"):
            _say_normalize(layer)
    return copy


def _hand_on(source: Layer, layers: Iterable[Layer]) -> None:
    """Moves what an Input layer says of images to the first layer that reads them."""
    reader = first_reader(layers, source.top)
    if reader is not None:
        hand_on(source, reader)


def _name_inputs(net: caffe_pb2.NetParameter, layers: Iterable[Layer]) -> None:
    """Converts Input layers to `input` and `input_shape` fields."""
    for layer in layers:
        if layer.include or layer.exclude:
            raise DialectError(
                f"layer '{layer.name}' (Input): the srn_fork dialect names inputs in fields of the net, "
                "which take no include or exclude rules"
            )
        shapes = layer.input_param.shape
        net.input.extend(layer.top)
        net.input_shape.extend(list(shapes) * len(layer.top) if len(shapes) == 1 else shapes)
    if net.input_shape and len(net.input_shape) != len(net.input):
        raise DialectError(
            f"net '{net.name}': the srn_fork dialect needs a shape for each of the inputs {list(net.input)} or for "
            f"none, found {len(net.input_shape)}"
        )


def _split_windows(window: caffe_pb2.ConvolutionParameter) -> None:
    """Converts lists of two different values to height and width; removes dilation 1, the fork's only dilation."""
    for name, sides in WINDOW_FIELDS.items():
        values = getattr(window, name)
        if len(values) == 2 and values[0] != values[1]:
            for side, value in zip(sides, values, strict=True):
                setattr(window, side, value)
            window.ClearField(name)
    if all(value == 1 for value in window.dilation):
        window.ClearField("dilation")


def _say_normalize(layer: Layer) -> None:
    """Converts `normalization` to `normalize`; values that the fork lacks are an error, as training would differ."""
    normalization = layer.loss_param.normalization
    known = NORMALIZE.get(layer.type, {})
    if normalization not in known:
        raise DialectError(
            f"layer '{layer.name}' ({layer.type}): the srn_fork dialect cannot normalise by "
            f"{Loss.NormalizationMode.Name(normalization)}; it knows "
            f"{', '.join(map(Loss.NormalizationMode.Name, known)) or 'no normalization for this type'}"
        )
    layer.loss_param.ClearField("normalization")
    if known[normalization] is not None:
        layer.loss_param.normalize = bool(known[normalization])
