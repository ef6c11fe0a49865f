"""Values made of weights are made again after every kind of change, and only then."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef

from caffe_compat.engine.watched_weights import COMPARED_WHOLE, MadeOfWeights, WeightWatch
from caffe_compat.layers.base import Layer
from caffe_compat.net.net import Net
from tests.engine.nets import build

NET = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 7 dim: 5 } } }
layer { name: "small" type: "Convolution" bottom: "data" top: "small" convolution_param {
  num_output: 4 kernel_size: 3 weight_filler { type: "gaussian" std: 0.4 } } }
layer { name: "norm" type: "BatchNorm" bottom: "small" top: "norm" }
layer { name: "large" type: "Convolution" bottom: "norm" top: "large" convolution_param {
  num_output: 4099 kernel_size: 1 weight_filler { type: "gaussian" std: 0.4 } } }
"""


def net_and_layers() -> tuple[Net, list[Layer]]:
    net = build(NET, "TEST")
    layers = [net.step_of(name).layer for name in ("small", "norm", "large")]
    assert layers[2].blobs[0].numel() > COMPARED_WHOLE > layers[0].blobs[0].numel()
    return net, layers


def write_in_place(net: Net, layers: list[Layer]) -> None:
    with torch.no_grad():
        layers[2].blobs[0][17, 1] += 0.25


def write_past_the_counter(net: Net, layers: list[Layer]) -> None:
    layers[0].blobs[0].data[3, 2, 1, 0] = 0.25


def write_a_large_weight_past_the_counter(net: Net, layers: list[Layer]) -> None:
    layers[2].blobs[0].data.mul_(2)


def write_through_numpy(net: Net, layers: list[Layer]) -> None:
    array = layers[0].blobs[1].detach().numpy()
    array[2] = 0.25


def write_as_pycaffe(net: Net, layers: list[Layer]) -> None:
    net.params["large"][0].data[500, 3] = 0.25


def replace_the_blob(net: Net, layers: list[Layer]) -> None:
    layers[0].blobs[0] = nn.Parameter(layers[0].blobs[0].detach().clone())


def replace_the_memory(net: Net, layers: list[Layer]) -> None:
    layers[1].blobs[1].data = layers[1].blobs[1].data.clone()


def reorder_the_memory(net: Net, layers: list[Layer]) -> None:
    layers[0].blobs[0].data = layers[0].blobs[0].data.transpose(2, 3)


def write_the_smallest_change(net: Net, layers: list[Layer]) -> None:
    bits = layers[1].blobs[0].data.view(torch.int32)
    bits[2] ^= 1


CHANGES = [
    write_in_place,
    write_past_the_counter,
    write_a_large_weight_past_the_counter,
    write_through_numpy,
    write_as_pycaffe,
    replace_the_blob,
    replace_the_memory,
    reorder_the_memory,
    write_the_smallest_change,
]


@pytest.mark.parametrize("change", CHANGES)
def test_each_kind_of_change_is_seen_once(change: Callable[[Net, list[Layer]], None]) -> None:
    net, layers = net_and_layers()
    watch = WeightWatch(layers)
    assert [watch.has_changed() for _ in range(3)] == [True, False, False]
    change(net, layers)
    assert [watch.has_changed() for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_the_memory_of_a_replaced_blob_is_not_taken_for_a_third_one(device: str) -> None:
    """Values on a GPU (here: meta) are not read, so that only the address tells of `weight.data = ...`."""
    _, layers = net_and_layers()
    layers[0].to(device)
    watch = WeightWatch(layers[:1])
    watch.has_changed()
    weight = layers[0].blobs[0]
    first = StorageWeakRef(weight.untyped_storage())
    weight.data = weight.data * 2
    assert not first.expired()


def test_nan_is_no_change() -> None:
    net, layers = net_and_layers()
    net.params["small"][0].data[...] = np.nan
    watch = WeightWatch(layers)
    assert [watch.has_changed() for _ in range(2)] == [True, False]


def test_layers_without_blobs_never_change() -> None:
    net = build('layer { name: "in" type: "Input" top: "d" input_param { shape { dim: 2 } } }\n'
                'layer { name: "relu" type: "ReLU" bottom: "d" top: "relu" }', "TEST")  # fmt: skip
    watch = WeightWatch([net.step_of("relu").layer])
    assert [watch.has_changed() for _ in range(2)] == [True, False]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_blobs_of_other_dtypes_are_compared_too(dtype: torch.dtype) -> None:
    _, layers = net_and_layers()
    for layer in layers:
        layer.to(dtype)
    watch = WeightWatch(layers)
    assert [watch.has_changed() for _ in range(2)] == [True, False]
    layers[0].blobs[0].data[1, 2, 0, 1] += 0.5
    assert [watch.has_changed() for _ in range(2)] == [True, False]


def test_a_value_is_made_again_after_a_change_and_after_an_error() -> None:
    net, layers = net_and_layers()
    fails = [False]

    def total(factor: float) -> float:
        if fails[0]:
            raise ValueError("no total today")
        return factor * float(layers[0].blobs[0].detach().sum())

    made = MadeOfWeights(layers, total)
    first = made(2.0)
    assert made(5.0) == first == pytest.approx(2 * float(layers[0].blobs[0].detach().sum()))
    write_past_the_counter(net, layers)
    fails[0] = True
    with pytest.raises(ValueError, match="no total today"):
        made(2.0)
    fails[0] = False
    assert made(3.0) == pytest.approx(3 * float(layers[0].blobs[0].detach().sum()))


@pytest.mark.parametrize("large", [False, True])
def test_blobs_with_gaps_and_expanded_blobs_are_compared_too(large: bool) -> None:
    _, layers = net_and_layers()
    bias = layers[2 if large else 0].blobs[1]
    room = torch.zeros(5 * len(bias) + COMPARED_WHOLE * large)
    step = len(room) // len(bias)
    for data in (room[: step * len(bias) : step], room[:1].expand(len(bias))):
        bias.data = data
        watch = WeightWatch(layers)
        assert [watch.has_changed() for _ in range(2)] == [True, False]
        bias.data[-1:] += 0.25
        assert [watch.has_changed() for _ in range(2)] == [True, False]
