"""Facts that a layer derives from its fields: bottoms of whole numbers, and the item that its weights fit."""

import pytest

from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import facts_of
from tests.layers.harness import build


@pytest.mark.parametrize(
    ("text", "shapes", "bounds"),
    [
        ("type: 'Accuracy' accuracy_param { axis: -1 }", [(2, 3, 5), (2, 3)], {1: 5}),
        ("type: 'SoftmaxWithLoss' softmax_param { axis: 2 }", [(2, 3, 5), (2, 3)], {1: 5}),
        ("type: 'InfogainLoss' infogain_loss_param { axis: 1 }", [(2, 4), (2,), (4, 4)], {1: 4}),
        ("type: 'HingeLoss'", [(3, 4, 2), (3,)], {1: 8}),
        ("type: 'MultinomialLogisticLoss'", [(3, 7), (3,)], {1: 7}),
        ("type: 'ContrastiveLoss'", [(3, 4), (3, 4), (3,)], {2: 2}),
        ("type: 'SigmoidCrossEntropyLoss'", [(3, 4), (3, 4)], {1: 2}),
        ("type: 'Embed' embed_param { num_output: 2 input_dim: 6 }", [(5,)], {0: 6}),
        ("type: 'BatchReindex'", [(5, 2), (3,)], {1: 5}),
        ("type: 'Filter'", [(5, 2), (5,)], {1: 2}),
        ("type: 'ROIPooling' roi_pooling_param { pooled_h: 1 pooled_w: 1 }", [(4, 3, 5, 6), (2, 5)], {1: 4}),
        ("type: 'LSTM' recurrent_param { num_output: 2 }", [(3, 4, 5), (3, 4)], {1: 2}),
        ("type: 'RNN' recurrent_param { num_output: 2 }", [(3, 4, 5), (3, 4)], {1: 2}),
        ("type: 'ReLU'", [(3, 4)], {}),
    ],
)
def test_bottoms_of_whole_numbers_and_their_bounds(
    text: str, shapes: list[tuple[int, ...]], bounds: dict[int, int]
) -> None:
    assert build(text, *shapes).whole_numbers(*shapes) == bounds


def test_an_lstm_unit_has_markers_too() -> None:
    shapes = [(1, 3, 2), (1, 3, 8), (1, 3)]
    assert build("type: 'LSTMUnit'", *shapes, tops=2).whole_numbers(*shapes) == {2: 2}


@pytest.mark.parametrize(
    ("text", "channels", "item"),
    [
        ("type: 'Convolution' convolution_param { num_output: 4 kernel_size: 3 group: 2 }", 6, (6, None, None)),
        ("type: 'Deconvolution' convolution_param { num_output: 4 kernel_size: 3 group: 2 }", 6, (6, None, None)),
        ("type: 'DepthwiseConvolution' convolution_param { num_output: 6 kernel_size: 3 }", 6, (6, None, None)),
        (
            "type: 'DepthwiseConvolution' convolution_param { num_output: 12 group: 6 kernel_size: 3 }",
            6,
            (6, None, None),
        ),
        ("type: 'InnerProduct' inner_product_param { num_output: 4 transpose: true }", 3, (60,)),
        ("type: 'InnerProduct' inner_product_param { num_output: 4 }", 3, (60,)),
        ("type: 'BatchNorm'", 3, (3, None, None)),
        ("type: 'BN'", 3, (3, None, None)),
        ("type: 'Scale'", 3, (3, None, None)),
        ("type: 'PReLU'", 3, (3, None, None)),
        ("type: 'Bias' bias_param { axis: 2 num_axes: 1 }", 3, None),
    ],
)
def test_weights_tell_the_item_that_a_layer_reads(
    text: str, channels: int, item: tuple[int | None, ...] | None
) -> None:
    layer = build(text, (2, channels, 4, 5))
    assert layer.item_for(layer.spec.parameter, tuple(layer.blobs[0].shape)) == item


def test_a_type_without_a_class_has_no_facts() -> None:
    assert facts_of("NotThere") is Layer
    assert facts_of("NotThere").known_to == ()
