import pytest

from caffe_compat.errors import FormatError, UnknownLayerError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.text import parse_text
from caffe_compat.proto.upgrade.on_load import is_v0
from caffe_compat.proto.upgrade.v0 import (
    COPIED_LISTS,
    FIELDS,
    TRANSFORM_FIELDS,
    V1_TYPES,
    fold_padding,
    upgrade_v0,
)


def net(text: str) -> caffe_pb2.NetParameter:
    return parse_text(text, caffe_pb2.NetParameter)


def upgraded(layer: str) -> tuple[caffe_pb2.NetParameter, list[str]]:
    old = net(f"layers {{ layer {{ {layer} }} }}")
    assert is_v0(old)
    log = upgrade_v0(old)
    assert not is_v0(old)
    return old, log


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            'name: "c" type: "conv" num_output: 3 biasterm: false pad: 2 kernelsize: 5 group: 2 stride: 4 '
            'weight_filler { type: "xavier" } bias_filler { value: 2 } blobs_lr: [1, 2] weight_decay: 3',
            'name: "c" type: CONVOLUTION blobs_lr: [1, 2] weight_decay: 3 convolution_param { num_output: 3 '
            'bias_term: false pad: 2 kernel_size: 5 group: 2 stride: 4 weight_filler { type: "xavier" } '
            "bias_filler { value: 2 } }",
        ),
        (
            'type: "pool" pool: STOCHASTIC kernelsize: 3 stride: 2 pad: 1',
            "type: POOLING pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 pad: 1 }",
        ),
        (
            'type: "innerproduct" num_output: 7 biasterm: true weight_filler { std: 2 } bias_filler { value: 1 }',
            "type: INNER_PRODUCT inner_product_param { num_output: 7 bias_term: true weight_filler { std: 2 } "
            "bias_filler { value: 1 } }",
        ),
        ('type: "dropout" dropout_ratio: 0.2', "type: DROPOUT dropout_param { dropout_ratio: 0.2 }"),
        (
            'type: "lrn" local_size: 3 alpha: 2 beta: 0.5 k: 3',
            "type: LRN lrn_param { local_size: 3 alpha: 2 beta: 0.5 k: 3 }",
        ),
        (
            'type: "data" source: "s" batchsize: 4 rand_skip: 5 scale: 0.5 meanfile: "m" cropsize: 6 mirror: true',
            'type: DATA data_param { source: "s" batch_size: 4 rand_skip: 5 } '
            'transform_param { scale: 0.5 mean_file: "m" crop_size: 6 mirror: true }',
        ),
        ('type: "hdf5_data" source: "s" batchsize: 4', 'type: HDF5_DATA hdf5_data_param { source: "s" batch_size: 4 }'),
        (
            'type: "images" source: "s" batchsize: 4 rand_skip: 5 shuffle_images: true new_height: 6 new_width: 7',
            'type: IMAGE_DATA image_data_param { source: "s" batch_size: 4 rand_skip: 5 shuffle: true new_height: 6 '
            "new_width: 7 }",
        ),
        (
            'type: "window_data" source: "s" batchsize: 4 det_fg_threshold: 0.1 det_bg_threshold: 0.2 '
            'det_fg_fraction: 0.3 det_context_pad: 4 det_crop_mode: "square"',
            'type: WINDOW_DATA window_data_param { source: "s" batch_size: 4 fg_threshold: 0.1 bg_threshold: 0.2 '
            'fg_fraction: 0.3 context_pad: 4 crop_mode: "square" }',
        ),
        ('type: "infogain_loss" source: "s"', 'type: INFOGAIN_LOSS infogain_loss_param { source: "s" }'),
        ('type: "concat" concat_dim: 0', "type: CONCAT concat_param { concat_dim: 0 }"),
        (
            'type: "hdf5_output" hdf5_output_param { file_name: "f" }',
            'type: HDF5_OUTPUT hdf5_output_param { file_name: "f" }',
        ),
        ('type: "relu" scale: 2', "type: RELU transform_param { scale: 2 }"),
        ('type: "relu" new_num: 2 new_channels: 3', "type: RELU"),
    ],
)
def test_fields_go_where_caffe_puts_them(old: str, new: str) -> None:
    result, log = upgraded(old)
    assert result == net(f"layers {{ {new} }}")
    assert log == []


@pytest.mark.parametrize(("old", "new"), V1_TYPES.items())
def test_every_type(old: str, new: str) -> None:
    assert upgraded(f'type: "{old}"')[0] == net(f"layers {{ type: {new} }}")


@pytest.mark.parametrize("name", FIELDS)
def test_fields_of_other_types_are_logged(name: str) -> None:
    filled = {"weight_filler": "{ }", "bias_filler": "{ }", "pool": "MAX", "source": '"s"', "det_crop_mode": '"w"'}
    boolean = ("biasterm", "shuffle_images")
    value = filled.get(name, "true" if name in boolean else "1")
    assert upgraded(f'type: "tanh" {name}: {value}')[1] == [f"Unknown parameter {name} for layer type tanh"]


def test_every_field_of_v0_is_dealt_with() -> None:
    ignored_by_caffe = {"new_num", "new_channels"}
    known = {*FIELDS, *TRANSFORM_FIELDS, *COPIED_LISTS, *ignored_by_caffe, "name", "type", "hdf5_output_param"}
    assert known == set(caffe_pb2.V0LayerParameter.DESCRIPTOR.fields_by_name)


def test_what_caffe_does_not_carry_over() -> None:
    old = net(
        'name: "n" input: "a" input_dim: 2 force_backward: true state { level: 1 } debug_info: true '
        'layers { layer { type: "relu" } bottom: "a" top: "b" include { phase: TEST } loss_weight: 2 } '
        'layers { name: "v1" type: TANH bottom: "b" top: "c" }'
    )
    upgrade_v0(old)
    assert old == net(
        'name: "n" input: "a" input_dim: 2 force_backward: true '
        'layers { type: RELU bottom: "a" top: "b" } layers { bottom: "b" top: "c" }'
    )


def test_padding_goes_to_the_window_after_it() -> None:
    old = net(
        'input: "a" layers { layer { type: "padding" pad: 3 } bottom: "a" top: "p" } '
        'layers { layer { type: "conv" pad: 1 } bottom: "p" top: "c" } '
        'layers { layer { type: "padding" } bottom: "c" top: "q" } '
        'layers { layer { type: "pool" } bottom: "q" top: "r" }'
    )
    assert [(layer.layer.type, layer.layer.pad, list(layer.bottom)) for layer in fold_padding(old)] == [
        ("conv", 3, ["a"]),
        ("pool", 0, ["c"]),
    ]


PADDING = 'input: "a" layers { layer { name: "p" type: "padding" pad: 1 } bottom: "a" top: "p" } '


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            PADDING + 'layers { layer { name: "r" type: "relu" } bottom: "p" }',
            r"^padding layer 'p' feeds layer 'r' \(relu\): only a conv or pool layer can take over its pad",
        ),
        (
            PADDING + 'layers { layer { name: "c" type: "conv" } bottom: "p" bottom: "a" }',
            r"^padding layer 'p' feeds layer 'c' \(conv\): both must have one bottom, and the padding layer one top",
        ),
        (
            'layers { layer { name: "r" type: "relu" } bottom: "z" }',
            "^layer 'r': no layer or input before it makes bottom 'z'",
        ),
    ],
)
def test_refuses_padding_that_cannot_be_folded(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        upgrade_v0(net(text))


@pytest.mark.parametrize(
    ("layer_type", "message"),
    [
        ("convolution", r"^layer 'x' \(convolution\): V0 nets have no layer of this type; it had accuracy, bnll, "),
        ("pooling", r"^layer 'x' \(pooling\): V0 nets have no layer of this type; did you mean 'pool'\?"),
    ],
)
def test_refuses_types_that_v0_never_had(layer_type: str, message: str) -> None:
    with pytest.raises(UnknownLayerError, match=message):
        upgraded(f'name: "x" type: "{layer_type}"')
