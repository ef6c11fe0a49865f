"""Gradients: which differs first, and why."""

from collections.abc import Callable

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.net.net import Net
from caffe_compat.parity.compare import compare, random_seeds
from caffe_compat.parity.comparison import Comparison, Kind, Verdict
from caffe_compat.parity.own_runs import record_layers
from caffe_compat.parity.recording import Recording
from tests.parity.nets import inputs_of, net_of

TEXT = """
force_backward: true
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 3 dim: 4 dim: 6 dim: 5 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "c"
        convolution_param { num_output: 5 kernel_size: 3 } }
layer { name: "bn" type: "BN" bottom: "c" top: "c" bn_param { frozen: true } }
layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }
layer { name: "ip" type: "InnerProduct" bottom: "c" top: "y" inner_product_param { num_output: 7 } }
"""


def recorded(net: Net) -> Recording:
    return record_layers(net, inputs_of(net), seeds=random_seeds(net))


def compared(change: Callable[[Recording], None], text: str = TEXT) -> Comparison:
    other = recorded(net_of(text))
    change(other)
    return compare(net_of(text), other, backward=True)


def test_the_same_net_agrees_in_the_order_of_backward() -> None:
    comparison = compared(lambda other: None)
    assert comparison.agrees
    gradients = [(row.layer, row.blob) for row in comparison.differences if row.kind is not Kind.TOP]
    assert gradients[:3] == [("ip", "blob 0"), ("ip", "blob 1"), ("ip", "c")]
    assert gradients[-1] == ("conv", "data")


def scale(part: dict[str, np.ndarray], key: str, factor: float) -> None:
    part[key] = part[key] * np.float32(factor)


@pytest.mark.parametrize(
    ("change", "layer", "kind", "cause"),
    [
        (lambda other: scale(other.weight_gradients, "conv/0", 0.5), "conv", Kind.WEIGHT_GRADIENT, "are 0.5 times"),
        (lambda other: scale(other.weight_gradients, "ip/1", 0), "ip", Kind.WEIGHT_GRADIENT, "other side has zeros"),
        (lambda other: scale(other.bottom_gradients, "conv/data", -1), "conv", Kind.BOTTOM_GRADIENT, "are -1 times"),
    ],
)  # fmt: skip
def test_a_wrong_gradient_is_named_with_its_layer_and_factor(
    change: Callable[[Recording], None], layer: str, kind: Kind, cause: str
) -> None:
    first = compared(change).first_wrong
    assert first is not None
    assert (first.layer, first.kind, first.verdict) == (layer, kind, Verdict.DIFFERS)
    assert cause in first.cause


def test_layers_below_a_wrong_gradient_inherit_it() -> None:
    text = TEXT.replace("frozen: true", "frozen: true eps: 0.3")
    wrong = recorded(net_of(text))
    ours = net_of(TEXT)
    wrong.tops = recorded(ours).tops  # forward agrees; the gradients are of another eps
    comparison = compare(ours, wrong, backward=True)
    first = comparison.first_wrong
    assert first is not None
    assert first.layer in ("ip", "bn")
    assert Verdict.INHERITS in {row.verdict for row in comparison.differences}


def test_ours_may_be_the_side_that_does_not_propagate() -> None:
    fixed = TEXT.replace('name: "ip"', 'name: "ip" param { lr_mult: 1 } param { lr_mult: 1 }')
    other = recorded(net_of(fixed))
    ours = net_of(TEXT)
    ours.step_of("ip").layer.forward = lambda bottom: (bottom * 0).flatten(1).sum(1, keepdim=True).expand(3, 7) * 1
    first = compare(ours, other, backward=True).first_wrong
    assert first is not None
    assert first.layer == "ip"


@pytest.mark.parametrize(
    ("layer", "cause"),
    [
        ('type: "BN"', "the fork's BN uses its formula for batches in backward at TEST"),
        ('type: "MVN" mvn_param { normalize_variance: false }', "backward of MVN without variance"),
    ],
)
def test_known_differences_between_the_caffes_are_called_so(layer: str, cause: str) -> None:
    text = TEXT.replace('type: "BN" bottom: "c" top: "c" bn_param { frozen: true }', f'{layer} bottom: "c" top: "c"')

    def change(other: Recording) -> None:
        other.bottom_gradients["bn/c"] = other.bottom_gradients["bn/c"][::-1].copy()

    first = compared(change, text).first_wrong
    assert first is not None
    assert first.layer == "bn"
    assert first.cause.startswith(cause)


def test_the_fork_keeps_the_gradients_of_shared_weights_apart_and_their_sum_counts() -> None:
    text = """
    force_backward: true
    layer { name: "a" type: "Input" top: "a" input_param { shape { dim: 3 dim: 4 } } }
    layer { name: "one" type: "InnerProduct" bottom: "a" top: "x" param { name: "w" } inner_product_param
            { num_output: 4 bias_term: false } }
    layer { name: "two" type: "InnerProduct" bottom: "x" top: "y" param { name: "w" } inner_product_param
            { num_output: 4 bias_term: false } }
    """

    def apart(other: Recording) -> None:
        total = other.weight_gradients["one/0"]
        other.weight_gradients |= {"one/0": total * np.float32(0.25), "two/0": total * np.float32(0.75)}

    assert compared(lambda other: None, text).agrees
    assert compared(apart, text).agrees
    assert not compared(lambda other: scale(other.weight_gradients, "one/0", 0.5), text).agrees


def test_a_blob_gradient_counts_where_its_first_reader_is_done() -> None:
    def only_blobs(other: Recording) -> None:
        other.blob_gradients = {"data": other.bottom_gradients["conv/data"], "c": other.bottom_gradients["bn/c"]}
        other.bottom_gradients = {}

    comparison = compared(only_blobs)
    assert comparison.agrees
    rows = [(row.layer, row.blob) for row in comparison.differences if row.kind is Kind.BOTTOM_GRADIENT]
    assert rows == [("bn", "c"), ("conv", "data")]


MEASURED = """
force_backward: true
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 3 dim: 4 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "y" inner_product_param { num_output: 7 } }
layer { name: "arg" type: "ArgMax" bottom: "y" top: "best" }
"""


def test_what_only_a_measuring_layer_reads_has_a_gradient_to_start_from() -> None:
    seeds = random_seeds(net_of(MEASURED))
    assert set(seeds) == {"best", "y"}
    comparison = compared(lambda other: scale(other.weight_gradients, "ip/0", 0.5), MEASURED)
    assert comparison.first_wrong is not None
    assert comparison.first_wrong.layer == "ip"


def test_where_the_other_side_cannot_force_gradients_ours_go_only_where_they_go_by_themselves() -> None:
    text = TEXT + (
        'layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 3 dim: 7 } } }\n'
        'layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "label" top: "loss" }'
    )
    natural = text.replace("force_backward: true", "")
    other = recorded(net_of(natural))
    other.is_forced = False
    ours = net_of(text)
    comparison = compare(ours, other, backward=True)
    assert comparison.agrees
    assert "data" not in {row.blob for row in comparison.differences if row.kind is Kind.BOTTOM_GRADIENT}
    assert ours.step_of("conv").propagate_down == [True]


def test_a_record_without_gradients_is_refused() -> None:
    with pytest.raises(DataError, match=r"expected gradients of net .*, found none .* record with --backward"):
        compare(net_of(TEXT), record_layers(net_of(TEXT), inputs_of(net_of(TEXT))), backward=True)
