import pytest

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.parse_text import parse_text
from caffe_compat.proto.upgrade_data import move_transform_fields, needs_transform_fields_moved


def net(text: str) -> caffe_pb2.NetParameter:
    return parse_text(text, caffe_pb2.NetParameter)


@pytest.mark.parametrize(
    ("kind", "param"),
    [("DATA", "data_param"), ("IMAGE_DATA", "image_data_param"), ("WINDOW_DATA", "window_data_param")],
)
def test_fields_move_and_the_rest_stays(kind, param) -> None:
    old = net(
        f'layers {{ type: {kind} {param} {{ source: "s" scale: 0.5 mean_file: "m" crop_size: 7 mirror: true }} '
        "transform_param { force_gray: true scale: 3 } }"
    )
    assert needs_transform_fields_moved(old)
    move_transform_fields(old)
    assert old == net(
        f'layers {{ type: {kind} {param} {{ source: "s" }} '
        'transform_param { force_gray: true scale: 0.5 mean_file: "m" crop_size: 7 mirror: true } }'
    )
    assert not needs_transform_fields_moved(old)


def test_other_data_layers_of_the_net_get_empty_messages() -> None:
    old = net("layers { type: DATA data_param { mirror: false } } layers { type: IMAGE_DATA } layers { type: RELU }")
    move_transform_fields(old)
    assert old == net(
        "layers { type: DATA data_param { } transform_param { mirror: false } } "
        "layers { type: IMAGE_DATA image_data_param { } transform_param { } } layers { type: RELU }"
    )


@pytest.mark.parametrize(
    "text",
    [
        'layers { type: DATA data_param { source: "s" } }',
        "layers { type: RELU data_param { scale: 2 } }",
        'layer { type: "Data" data_param { scale: 2 } }',
    ],
)
def test_todays_nets_need_nothing(text) -> None:
    assert not needs_transform_fields_moved(net(text))
