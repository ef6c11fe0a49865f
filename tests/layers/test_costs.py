"""What layers say of their costs and of what they see, measured."""

import pytest
import torch

from caffe_compat.layers.base import Reach
from tests.layers.harness import build

IMAGE = (2, 6, 11, 13)
WITH_WEIGHTS = [
    "type: 'Convolution' convolution_param { num_output: 8 kernel_h: 3 kernel_w: 5 stride: 2 group: 2 bias_term: 0 }",
    "type: 'Convolution' convolution_param { num_output: 4 kernel_size: 3 dilation: 2 bias_term: false }",
    "type: 'Deconvolution' convolution_param { num_output: 4 kernel_size: 3 stride: 2 group: 2 bias_term: false }",
    "type: 'InnerProduct' inner_product_param { num_output: 7 axis: 2 bias_term: false }",
]


@pytest.mark.parametrize("text", WITH_WEIGHTS)
def test_multiply_adds_are_the_products_that_are_summed(text):
    """Where every input and every weight is 1, the sum of the tops counts the products."""
    layer = build(text, IMAGE)
    layer.blobs[0].data.fill_(1)
    top = layer(torch.ones(IMAGE, dtype=torch.float64))
    assert layer.multiply_adds([IMAGE], [tuple(top.shape)]) == top.sum().item()


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", 4), ("RNN", 1)])
def test_recurrent_layers_multiply_at_every_step(kind, gates):
    shapes = ((5, 3, 2), (5, 3), (3, 7))
    layer = build(f"type: '{kind}' recurrent_param {{ num_output: 4 }}", *shapes)
    sums = gates * 4
    products = 5 * 3 * sums * (2 + 4) + 3 * sums * 7
    products += {"LSTM": 0, "RNN": 5 * 3 * 4 * 4}[kind]  # RNN's outputs are a further product of its states
    assert layer.multiply_adds(shapes, [(5, 3, 4)]) == products


@pytest.mark.parametrize(
    "text",
    [
        "type: 'Convolution' convolution_param { num_output: 1 kernel_size: 3 dilation: 2 }",
        "type: 'Convolution' convolution_param { num_output: 1 kernel_size: 4 stride: 3 }",
        "type: 'Pooling' pooling_param { pool: AVE kernel_size: 3 stride: 2 }",
        "type: 'Deconvolution' convolution_param { num_output: 1 kernel_size: 4 stride: 2 }",
        "type: 'ReLU'",
    ],
)
def test_reach_is_what_one_place_depends_on(text):
    bottom = torch.rand(1, 1, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    layer = build(text, bottom)
    for blob in layer.blobs:
        blob.data.fill_(1)
    (gradient,) = torch.autograd.grad(layer(bottom)[0, 0, 3, 3], bottom)
    columns = gradient[0, 0].abs().sum(0).nonzero()
    reach = layer.reach((16, 16))
    assert reach is not None
    assert reach.span == int(columns.max() - columns.min()) + 1


def test_layers_that_see_everything():
    product = build("type: 'InnerProduct' inner_product_param { num_output: 2 }", IMAGE)
    pooling = build("type: 'Pooling' pooling_param { pool: AVE global_pooling: true }", IMAGE)
    assert product.reach(IMAGE[2:]) is pooling.reach(IMAGE[2:]) is None
    assert build("type: 'Sigmoid'", IMAGE).reach(IMAGE[2:]) == Reach()
