import pytest

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.text import parse_text
from caffe_compat.proto.upgrade.on_load import is_v1
from caffe_compat.proto.upgrade.v1 import (
    COPIED_LISTS,
    PARAM_LISTS,
    TYPES,
    move_transform_fields,
    needs_transform_fields_moved,
    upgrade_v1,
)

V1 = caffe_pb2.V1LayerParameter.DESCRIPTOR


def net(text: str) -> caffe_pb2.NetParameter:
    return parse_text(text, caffe_pb2.NetParameter)


@pytest.mark.parametrize(("old", "new"), TYPES.items())
def test_every_type(old: str, new: str) -> None:
    result = net(f"layers {{ type: {old} }}")
    assert is_v1(result)
    assert upgrade_v1(result) == []
    assert result == net(f'layer {{ type: "{new}" }}')


def test_all_types_are_covered() -> None:
    assert set(TYPES) == set(caffe_pb2.V1LayerParameter.LayerType.keys())


def test_lists_per_blob_become_one_param_each() -> None:
    old = net(
        'layers { name: "a" blobs_lr: [1, 2, 3] weight_decay: [4, 5] param: "w" blob_share_mode: [PERMISSIVE, STRICT] '
        'bottom: "x" top: "y" top: "z" loss_weight: [0.5, 0] include { phase: TRAIN } exclude { min_level: 2 } '
        "blobs { data: 1 } }"
    )
    upgrade_v1(old)
    assert old == net(
        'layer { name: "a" bottom: "x" top: "y" top: "z" loss_weight: [0.5, 0] include { phase: TRAIN } '
        "exclude { min_level: 2 } blobs { data: 1 } "
        'param { name: "w" share_mode: PERMISSIVE lr_mult: 1 decay_mult: 4 } '
        "param { share_mode: STRICT lr_mult: 2 decay_mult: 5 } param { lr_mult: 3 } }"
    )


@pytest.mark.parametrize("field", [field.name for field in V1.fields if field.name.endswith("_param")])
def test_parameter_messages_keep_their_names(field: str) -> None:
    old = caffe_pb2.NetParameter()
    getattr(old.layers.add(), field).SetInParent()
    upgrade_v1(old)
    assert [known.name for known, _ in old.layer[0].ListFields()] == [field]


def test_every_field_of_v1_is_dealt_with() -> None:
    special = {*COPIED_LISTS, *PARAM_LISTS, "name", "type", "type_of_another_caffe", "layer"}
    assert {f.name for f in V1.fields if not f.name.endswith("_param")} == special


def test_the_rest_of_the_net_stays_and_losses_are_logged() -> None:
    old = net('name: "n" state { level: 2 } layer { name: "new" } layers { name: "a" layer { type: "relu" } }')
    assert upgrade_v1(old) == [
        "Input NetParameter to be upgraded already specifies 'layer' fields; these will be ignored.",
        "Input layer 0 has a V0 'layer' field, which is ignored.",
    ]
    assert old == net('name: "n" state { level: 2 } layer { name: "a" }')


@pytest.mark.parametrize(
    ("kind", "param"),
    [("DATA", "data_param"), ("IMAGE_DATA", "image_data_param"), ("WINDOW_DATA", "window_data_param")],
)
def test_fields_move_and_the_rest_stays(kind: str, param: str) -> None:
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
def test_todays_nets_need_nothing(text: str) -> None:
    assert not needs_transform_fields_moved(net(text))


@pytest.mark.parametrize(
    ("number", "named"),
    [
        (40, r" \(DOWN_SAMPLING in C3D, CROP in HED and CRF-RNN, CROP in DeconvNet\)"),
        (42, r" \(BN in happynear/caffe-windows, UNPOOLING in DeconvNet\)"),
        (99, ""),
    ],
)
def test_a_type_number_of_another_caffe(number: int, named: str) -> None:
    layer = caffe_pb2.V1LayerParameter(name="x").SerializeToString() + bytes([5 << 3, number])
    net = caffe_pb2.NetParameter(layers=[caffe_pb2.V1LayerParameter.FromString(layer)])
    message = (
        rf"^layer 'x': type number {number} is none of BVLC Caffe's{named}, and other .*; give the net's own proto"
    )
    with pytest.raises(FormatError, match=message):
        upgrade_v1(net)
