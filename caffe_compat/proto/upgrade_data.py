"""Scale, mean_file, crop_size and mirror of old data layers become a transform_param (V1 nets only, as in Caffe)."""

from caffe_compat.proto import caffe_pb2

V1 = caffe_pb2.V1LayerParameter
DATA_PARAMS = {V1.DATA: "data_param", V1.IMAGE_DATA: "image_data_param", V1.WINDOW_DATA: "window_data_param"}
TRANSFORM_FIELDS = ("scale", "mean_file", "crop_size", "mirror")


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
