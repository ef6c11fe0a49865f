"""The control layer that destroys the alignment of label maps."""

import numpy as np
import torch
from google.protobuf import text_format

from caffe_compat.layers.base import LayerSpec
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import caffe_pb2

SHAPE = (2, 3, 5, 7)


def layer(seed="11"):
    parameter = text_format.Parse(
        f"""name: "roll" type: "Python" bottom: "u" top: "r" python_param {{
        module: "caffe_compat.experiments.mechanism.random_roll" layer: "RandomRoll" param_str: "{seed}" }}""",
        caffe_pb2.LayerParameter(),
    )
    made = create_layer(LayerSpec(parameter, "TRAIN", allow_python_layers=True))
    made.setup(SHAPE)
    made.top_shapes(SHAPE)
    return made


def offsets(before, after):
    """The rolls that turn each map of `before` into that of `after`, by trying all of them."""
    return [
        [
            (down, right)
            for down in range(SHAPE[2])
            for right in range(SHAPE[3])
            if np.array_equal(np.roll(before[n, c], (down, right), (0, 1)), after[n, c])
        ]
        for n in range(SHAPE[0])
        for c in range(SHAPE[1])
    ]


def test_each_map_is_rolled_by_an_offset_of_its_own():
    maps = torch.arange(2 * 3 * 5 * 7, dtype=torch.float32).reshape(SHAPE)
    found = offsets(maps.numpy(), layer()(maps)[0].numpy())
    assert [len(rolls) for rolls in found] == [1] * 6
    assert len({rolls[0] for rolls in found}) > 3


def test_offsets_are_drawn_anew_and_follow_the_seed():
    maps = torch.arange(2 * 3 * 5 * 7, dtype=torch.float32).reshape(SHAPE)
    one, same, other = layer(), layer(), layer(seed="12")
    first = one(maps)[0]
    assert not torch.equal(first, one(maps)[0])
    assert torch.equal(first, same(maps)[0])
    assert not torch.equal(first, other(maps)[0])


def test_gradients_go_back_to_where_values_came_from():
    maps = torch.randn(SHAPE, generator=torch.Generator().manual_seed(3), requires_grad=True)
    weights = torch.randn(SHAPE, generator=torch.Generator().manual_seed(4))
    rolled = layer()(maps)[0]
    (gradient,) = torch.autograd.grad((rolled * weights).sum(), maps)
    # The top is a permutation of the bottom, so products of values and gradients have the same sum on both sides.
    assert torch.isclose((gradient * maps).sum(), (rolled * weights).sum(), rtol=1e-5)
    assert torch.equal(torch.sort(gradient.flatten()).values, torch.sort(weights.flatten()).values)
