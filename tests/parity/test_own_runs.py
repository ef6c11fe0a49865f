"""Our engines and precisions as the other side."""

import pytest
import torch

from caffe_compat.parity.compare import compare, random_seeds
from caffe_compat.parity.comparison import Kind
from caffe_compat.parity.measure import TOLERANCES
from caffe_compat.parity.own_runs import record_fast, record_layers, twin
from tests.parity.nets import inputs_of, net_of

TEXT = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 3 dim: 4 dim: 6 dim: 5 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 3 dim: 7 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 5 kernel_size: 3 } }
layer { name: "bn" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "scale" type: "Scale" bottom: "c" top: "c" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }
layer { name: "ip" type: "InnerProduct" bottom: "c" top: "y" inner_product_param { num_output: 7 } }
layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "y" bottom: "label" top: "loss" }
"""


# The bias before a normalisation has a gradient that nearly cancels: 1e-5 of it is rounding, more or less by processor.
@pytest.mark.parametrize(
    ("precision", "least", "most"), [("exact", 0, 0), ("float64", 1e-9, 1e-4), ("bf16", 1e-4, 3e-2)]
)
def test_a_precision_is_as_far_away_as_its_digits(precision: str, least: float, most: float) -> None:
    net = net_of(TEXT, "TRAIN")
    other = record_layers(net, inputs_of(net), precision, random_seeds(net))
    comparison = compare(net, other, tolerances=TOLERANCES["bf16" if precision == "bf16" else "float32"], backward=True)
    assert comparison.agrees
    assert least <= comparison.max_error <= most
    assert {row.kind for row in comparison.differences} == {
        Kind.TOP, Kind.STATISTIC, Kind.BOTTOM_GRADIENT, Kind.WEIGHT_GRADIENT,
    }  # fmt: skip


@pytest.mark.parametrize(("engine", "tolerances"), [("fast", "float32"), ("fast-bf16", "bf16")])
def test_the_fast_engine_shows_what_it_does_not_fold(engine: str, tolerances: str) -> None:
    net = net_of(TEXT)
    comparison = compare(net, record_fast(net, inputs_of(net), engine), tolerances=TOLERANCES[tolerances])
    assert comparison.agrees
    assert comparison.not_compared == ["conv -> c", "bn -> c", "scale -> c"]
    assert [row.layer for row in comparison.differences] == ["data", "label", "relu", "ip", "loss"]
    assert comparison.differences[2].since == ("conv", "bn", "scale")


def test_what_the_fast_engine_drops_is_dropped_here() -> None:
    dropout = 'layer { name: "drop" type: "Dropout" bottom: "c" top: "c" }'
    net = net_of(TEXT.replace('layer { name: "ip"', dropout + 'layer { name: "ip"'), "TRAIN")
    comparison = compare(net, record_fast(net, inputs_of(net), seeds={}), backward=True)
    assert comparison.agrees
    assert "drop" in [row.layer for row in comparison.differences]


def test_the_fast_engines_gradients_of_weights_are_compared() -> None:
    net = net_of(TEXT, "TRAIN")
    comparison = compare(net, record_fast(net, inputs_of(net), seeds={}), backward=True)
    assert comparison.agrees
    assert len([row for row in comparison.differences if row.kind is Kind.WEIGHT_GRADIENT]) == 6
    assert any("gradients of weights only" in note for note in comparison.notes)


def test_a_twin_has_weights_of_its_own() -> None:
    net = net_of(TEXT)
    copy = twin(net)
    copy.step_of("ip").layer.blobs[0].data.zero_()
    assert bool(net.step_of("ip").layer.blobs[0].any())
    assert torch.equal(copy.step_of("conv").layer.blobs[0], net.step_of("conv").layer.blobs[0])


def test_backward_starts_from_losses_or_from_random_gradients_of_the_outputs() -> None:
    assert random_seeds(net_of(TEXT)) == {}
    deploy = net_of(TEXT[: TEXT.index('layer { name: "loss"')])
    assert {name: values.shape for name, values in random_seeds(deploy).items()} == {"label": (3, 7), "y": (3, 7)}
