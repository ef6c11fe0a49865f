"""Fields of other Caffes that say what BVLC's say in other words: holes, dilation_h, and pooling that rounds down.

Also a type of which another Caffe makes something else: PriorBox in SSTD.

It stands apart from `on_load`, because a net of today enters no other file of this package.
"""

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2

#: Fields for height and width, of DeepLab and of TSN's Caffe; DeepLab's `hole` stands for both.
PAIRS = (("hole_h", "hole_w"), ("dilation_h", "dilation_w"))
HOLES = ("hole", *PAIRS[0], *PAIRS[1])


def say_fields_of_forks_as_bvlc(net: caffe_pb2.NetParameter) -> list[str]:
    """Rewrites a net in place: `hole` (hole_h and hole_w, dilation_h and dilation_w) becomes `dilation`.

    `ceil_mode: false` becomes `round_mode: FLOOR`.
    """
    for layer in net.layer:
        if _holes(layer):
            _holes_to_dilation(layer)
        if layer.pooling_param.HasField("ceil_mode"):
            _ceil_mode_to_round_mode(layer)
    return []


def _holes(layer: caffe_pb2.LayerParameter) -> list[str]:
    return [field for field in HOLES if layer.convolution_param.HasField(field)]


def _holes_to_dilation(layer: caffe_pb2.LayerParameter) -> None:
    param, given = layer.convolution_param, _holes(layer)
    pair = next((pair for pair in PAIRS if set(given) <= set(pair)), None)
    if param.dilation or (pair is None and given != ["hole"]):
        found = ", ".join([*given, *(["dilation"] if param.dilation else [])])
        raise FormatError(
            f"layer '{layer.name}' ({layer.type}): expected one of dilation, hole, hole_h and hole_w, or dilation_h "
            f"and dilation_w, got {found}"
        )
    # Height and width of a pair, of which a missing one is 1.
    param.dilation.extend([getattr(param, field) for field in pair or ("hole",)])
    for field in HOLES:
        param.ClearField(field)


def _ceil_mode_to_round_mode(layer: caffe_pb2.LayerParameter) -> None:
    param = layer.pooling_param
    if param.HasField("round_mode"):
        raise FormatError(f"layer '{layer.name}' ({layer.type}): expected one of round_mode and ceil_mode, got both")
    if not param.ceil_mode:
        param.round_mode = caffe_pb2.PoolingParameter.FLOOR
    param.ClearField("ceil_mode")


#: Layer types that only SSTD's Caffe has.
TYPES_OF_SSTD = {"AnnotatedDataMask", "MultiBoxOrientedLoss", "DetectionOrientedOutput"}


def is_of_sstd(layer: caffe_pb2.LayerParameter) -> bool:
    """Whether a layer shows that its net is one of SSTD's Caffe."""
    resize = layer.mask_resize_param
    return layer.type in TYPES_OF_SSTD or resize.HasField("factor_height") or resize.HasField("factor_width")


def give_prior_boxes_of_sstd_their_widths(net: caffe_pb2.NetParameter) -> list[str]:
    """Sets `width_by_ratio` in the PriorBox layers of a net of SSTD's, in place, where the net does not set it."""
    for layer in net.layer:
        if layer.type == "PriorBox" and not layer.prior_box_param.HasField("width_by_ratio"):
            layer.prior_box_param.width_by_ratio = True
    return []
