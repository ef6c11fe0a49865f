"""Fields of other Caffes that say what BVLC's say in other words: DeepLab's holes, and pooling that rounds down."""

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2

HOLES = ("hole", "hole_h", "hole_w")


def say_fields_of_forks_as_bvlc(net: caffe_pb2.NetParameter) -> list[str]:
    """`hole`, or hole_h and hole_w, become `dilation`; `ceil_mode: false` becomes `round_mode: FLOOR`; in place."""
    for layer in net.layer:
        if _holes(layer):
            _holes_to_dilation(layer)
        if layer.pooling_param.HasField("ceil_mode"):
            _ceil_mode_to_round_mode(layer)
    return []


def _holes(layer: caffe_pb2.LayerParameter) -> list[str]:
    return [field for field in HOLES if layer.convolution_param.HasField(field)]


def _holes_to_dilation(layer: caffe_pb2.LayerParameter) -> None:
    param = layer.convolution_param
    if param.dilation or (param.HasField("hole") and len(_holes(layer)) > 1):
        found = ", ".join([*_holes(layer), *(["dilation"] if param.dilation else [])])
        raise FormatError(
            f"layer '{layer.name}' ({layer.type}): expected one of dilation, hole, or hole_h and hole_w, got {found}"
        )
    param.dilation.extend(_distances(param))
    for field in HOLES:
        param.ClearField(field)


def _distances(param: caffe_pb2.ConvolutionParameter) -> tuple[int, ...]:
    """One for all axes, or height and width, where a missing one is 1."""
    return (param.hole,) if param.HasField("hole") else (param.hole_h, param.hole_w)


def _ceil_mode_to_round_mode(layer: caffe_pb2.LayerParameter) -> None:
    param = layer.pooling_param
    if param.HasField("round_mode"):
        raise FormatError(f"layer '{layer.name}' ({layer.type}): expected one of round_mode and ceil_mode, got both")
    if not param.ceil_mode:
        param.round_mode = caffe_pb2.PoolingParameter.FLOOR
    param.ClearField("ceil_mode")
