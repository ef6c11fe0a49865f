"""Which layers, bottoms and weights need gradients, and gradients of borrowed weights."""

import numpy as np
import pytest
import torch
from google.protobuf import text_format

from caffe_compat.engine.create import create_engine
from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.net.blob import gradient_of
from caffe_compat.net.build import build_net
from caffe_compat.net.net import Net
from caffe_compat.proto import caffe_pb2
from tests.engine.nets import build

INNER_PRODUCT = "inner_product_param { num_output: 3 weight_filler { type: 'xavier' } }"


def on_inputs(text: str) -> Net:
    net = text_format.Parse(
        "layer { name: 'in' type: 'Input' top: 'x' top: 't' "
        "input_param { shape { dim: 2 dim: 5 } shape { dim: 2 dim: 3 } } }" + text,
        caffe_pb2.NetParameter(),
    )
    return build_net(net, caffe_pb2.NetState(phase=caffe_pb2.TRAIN))


def needs(net: Net) -> dict[str, tuple[bool, list[bool]]]:
    return {step.layer.name: (step.needs_backward, step.propagate_down) for step in net.steps}


CHAIN = """
layer {{ name: 'a' type: 'InnerProduct' bottom: 'x' top: 'a' {first} {ip} }}
layer {{ name: 'b' type: 'InnerProduct' bottom: 'a' top: 'b' {second} {ip} }}
layer {{ name: 'loss' type: 'EuclideanLoss' bottom: 'b' bottom: 't' top: 'loss' {loss} }}
"""


def chain(first: str = "", second: str = "", loss: str = "") -> dict[str, tuple[bool, list[bool]]]:
    return needs(on_inputs(CHAIN.format(first=first, second=second, loss=loss, ip=INNER_PRODUCT)))


def test_weights_below_a_loss_learn() -> None:
    assert chain() == {
        "in": (False, []),
        "a": (True, [False]),
        "b": (True, [True]),
        "loss": (True, [True, False]),
    }


def test_fixed_weights_stop_the_gradient() -> None:
    fixed = "param { lr_mult: 0 } param { lr_mult: 0 }"
    found = chain(first=fixed)
    assert found["a"] == (False, [False])
    assert found["b"] == (True, [False])


def test_propagate_down_false_stops_the_gradient_below() -> None:
    found = chain(second="propagate_down: false")
    assert found["a"] == (False, [False])
    assert found["b"] == (True, [False])


def test_no_loss_no_backward() -> None:
    found = chain(loss="loss_weight: 0")
    assert not any(need for need, _ in found.values())


def test_force_backward_reaches_the_data_but_not_the_label_of_a_loss() -> None:
    net = text_format.Parse(
        f"""force_backward: true
        layer {{ name: 'in' type: 'Input' top: 'x' top: 't'
          input_param {{ shape {{ dim: 2 dim: 3 }} shape {{ dim: 2 }} }} }}
        layer {{ name: 'a' type: 'InnerProduct' bottom: 'x' top: 'a' {INNER_PRODUCT} }}
        layer {{ name: 'loss' type: 'SoftmaxWithLoss' bottom: 'a' bottom: 't' top: 'loss' }}""",
        caffe_pb2.NetParameter(),
    )
    found = needs(build_net(net, caffe_pb2.NetState(phase=caffe_pb2.TRAIN)))
    assert found["a"] == (True, [True])
    assert found["loss"] == (True, [True, False])


LABELS_LEARN = """
layer {{ name: 'scores' type: 'InnerProduct' bottom: 'x' top: 'scores' {ip} }}
layer {{ name: 'labels' type: 'InnerProduct' bottom: 'x' top: 'labels' {ip} }}
layer {{ name: 'loss' type: '{loss}' bottom: 'scores' bottom: 'labels' top: 'loss' {propagate_down} }}
"""


def with_learnt_labels(loss: str, propagate_down: str = "") -> Net:
    text = LABELS_LEARN.format(ip=INNER_PRODUCT, loss=loss, propagate_down=propagate_down)
    return on_inputs(text)


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_no_gradient_goes_to_labels(engine: str) -> None:
    net = with_learnt_labels("SigmoidCrossEntropyLoss")
    create_engine(engine, net).forward()  # as in Caffe, only backward stops
    message = (
        r"^layer 'loss' \(SigmoidCrossEntropyLoss\): SigmoidCrossEntropyLoss cannot backpropagate to label inputs "
        r"\('labels'\), .*propagate_down"
    )
    with pytest.raises(GraphError, match=message):
        create_engine(engine, net).forward_backward()


@pytest.mark.parametrize("engine", ["exact", "fast"])
@pytest.mark.parametrize(
    ("loss", "propagate_down"),
    [("EuclideanLoss", ""), ("SigmoidCrossEntropyLoss", "propagate_down: true propagate_down: false")],
)
def test_labels_that_take_or_refuse_a_gradient(engine: str, loss: str, propagate_down: str) -> None:
    net = with_learnt_labels(loss, propagate_down)
    net.blobs["x"].assign(torch.ones(2, 5))
    create_engine(engine, net).forward_backward()
    learnt = [bool(gradient_of(net.step_of(layer).layer.blobs[0]).any()) for layer in ("scores", "labels")]
    assert learnt == [True, loss == "EuclideanLoss"]


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_layers_without_backward_stop_a_gradient(engine: str) -> None:
    text = f"""
        layer {{ name: 'a' type: 'InnerProduct' bottom: 'x' top: 'a' {INNER_PRODUCT} }}
        layer {{ name: 'step' type: 'Threshold' bottom: 'a' top: 'step' }}
        layer {{ name: 'loss' type: 'EuclideanLoss' bottom: 'step' bottom: 't' top: 'loss' }}"""
    with pytest.raises(GraphError, match=r"^layer 'step' \(Threshold\): Threshold cannot backpropagate to bottom 0"):
        create_engine(engine, on_inputs(text)).forward_backward()


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_a_bottom_left_out_hides_no_gradient_of_another_reader(engine: str) -> None:
    """d loss / d a is that of the reader that propagates: half of what both would give."""
    text = f"""
        layer {{ name: 'a' type: 'InnerProduct' bottom: 'x' top: 'a' {INNER_PRODUCT} }}
        layer {{ name: 'no' type: 'Power' bottom: 'a' top: 'no' propagate_down: false }}
        layer {{ name: 'yes' type: 'Power' bottom: 'a' top: 'yes' }}
        layer {{ name: 'sum' type: 'Eltwise' bottom: 'no' bottom: 'yes' top: 'sum' loss_weight: 0.5 }}"""
    net = on_inputs(text)
    net.blobs["x"].assign(torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 1.0, 0.0, 1.0, 0.0]]))
    create_engine(engine, net).forward_backward()
    assert gradient_of(net.step_of("a").layer.blobs[0])[0].tolist() == [0.5, 1.5, 1.5, 2.5, 2.5]


def test_a_layer_may_share_a_weight_with_itself() -> None:
    """y = w x + w, so dy / dw = x + 1."""
    text = (
        "layer { name: 'a' type: 'Scale' bottom: 'x' top: 'y' loss_weight: 1 param { name: 'w' } param { name: 'w' } "
    )
    net = on_inputs(text + "scale_param { bias_term: true } }")
    net.blobs["x"].assign(torch.ones(2, 5) * 3)
    create_engine("exact", net).forward_backward()
    assert gradient_of(net.learnable[0].parameter).tolist() == [8.0] * 5


SEQUENCES = """layer { name: 'sequences' type: 'Input' top: 's' top: 'c'
  input_param { shape { dim: 2 dim: 5 dim: 3 } shape { dim: 2 dim: 5 } } }"""


@pytest.mark.parametrize("engine", ["exact", "fast"])
@pytest.mark.parametrize("kind", ["LSTM", "RNN"])
def test_fixed_weights_of_recurrent_layers_have_gradients(engine: str, kind: str) -> None:
    """The unrolled net of RecurrentLayer knows no lr_mult; clip_gradients counts what it leaves in a fixed weight."""
    layer = f"""
        layer {{ name: 'r' type: '{kind}' bottom: 's' bottom: 'c' top: 'r' loss_weight: 0.5 %s
          recurrent_param {{ num_output: 4 weight_filler {{ type: 'gaussian' std: 0.4 }} }} }}"""
    gradients = []
    for params in ("", "param { lr_mult: 2 } param { lr_mult: 0 }"):
        torch.manual_seed(3)
        net = on_inputs(SEQUENCES + layer % params)
        net.blobs["s"].assign(torch.linspace(-1, 2, 30).view(2, 5, 3))
        create_engine(engine, net).forward_backward()
        gradients.append([gradient_of(blob) for blob in net.step_of("r").layer.blobs])
    free, fixed = ([each for each in blobs if each.dim() == 1] for blobs in gradients)
    assert all(bias.any() and torch.equal(bias, other) for bias, other in zip(free, fixed, strict=True))
    assert net.step_of("r").weights_need[:2] == [True, False]  # debug_info leaves it out, as Caffe's does


def test_recurrent_layers_that_learn_nothing_have_no_gradients() -> None:
    fixed = "param { lr_mult: 0 } " * 3
    net = on_inputs(
        f"{SEQUENCES} layer {{ name: 'r' type: 'LSTM' bottom: 's' bottom: 'c' top: 'r' loss_weight: 0.5 {fixed}"
        "recurrent_param { num_output: 4 bias_filler { type: 'constant' value: 0.3 } } }"
    )
    create_engine("exact", net).forward_backward()
    assert not any(gradient_of(blob).any() or blob.requires_grad for blob in net.step_of("r").layer.blobs)


FILTERED = """
force_backward: true
layer { name: "a" type: "Input" top: "a" top: "kept" input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "filter" type: "Filter" bottom: "a" bottom: "kept" top: "b" }
layer { name: "fc" type: "InnerProduct" bottom: "b" top: "fc" inner_product_param { num_output: 5 } }
"""


def filtered(kept: list[float]) -> Net:
    net = build(FILTERED)
    net.blobs["kept"].data[...] = kept
    return net


def test_backward_after_other_items_were_filtered_asks_for_a_forward() -> None:
    expected = r"^layer 'filter' \(Filter\): expected a gradient of shape \(3, 3\) for top 'b', as the layer gave it, "
    with pytest.raises(ShapeError, match=expected + r"found \(4, 3\); run forward before backward$"):
        filtered([1, 0, 1, 1]).backward_range(2, 0)
    filtered([1, 1, 1, 1]).backward_range(2, 0)


def test_backward_after_a_reshape_asks_for_a_forward() -> None:
    net = filtered([1, 0, 1, 1])
    net.forward_range(0, 2)
    net.backward_range(2, 0)
    assert net.blobs["a"].diff.shape == (4, 3)
    net.reshape()
    with pytest.raises(ShapeError, match=r"^layer 'fc' \(InnerProduct\): expected .* \(3, 5\) .* found"):
        net.backward_range(2, 0)


def test_propagate_down_counts_bottoms() -> None:
    with pytest.raises(GraphError, match=r"^layer 'b' \(InnerProduct\): propagate_down param must be specified"):
        chain(second="propagate_down: true propagate_down: false")


NET = """
layer {{ name: "in" type: "Input" top: "x" input_param {{ shape {{ dim: 2 dim: 6 }} }} }}
layer {{ name: "a" type: "InnerProduct" bottom: "x" top: "a" param {{ {shared} }}
  inner_product_param {{ num_output: 3 bias_term: false weight_filler {{ type: "gaussian" std: 0.4 }} }} }}
layer {{ name: "b" type: "InnerProduct" bottom: "a" top: "b" param {{ {shared} }}
  inner_product_param {{ num_output: 6 bias_term: false weight_filler {{ type: "gaussian" std: 0.4 }} }} }}
"""
LOSS = 'layer { name: "sum" type: "Reduction" bottom: "b" top: "sum" loss_weight: 1.5 }'
PERMISSIVE = 'name: "w" share_mode: PERMISSIVE'


def net_of(shared: str = "", loss: str = LOSS) -> Net:
    net = build(NET.format(shared=shared) + loss)
    net.blobs["x"].data[...] = np.random.RandomState(4).randn(2, 6)
    return net


def pair(shared: str = "") -> tuple[Net, Net]:
    lender, borrower = net_of(shared), net_of(shared)
    borrower.share_weights(lender)
    return lender, borrower


def run(net: Net) -> None:
    net.forward_range(0, len(net.steps) - 1)
    net.backward_range(len(net.steps) - 1, 0)


@pytest.mark.parametrize("shared", ["", PERMISSIVE])
def test_a_borrower_adds_to_its_own_gradient(shared: str) -> None:
    lender, borrower = pair(shared)
    run(borrower)
    run(borrower)
    assert not lender.params["a"][0].diff.any()
    run(lender)
    for layer in ("a", "b"):
        assert lender.params[layer][0].diff.any()
        np.testing.assert_allclose(borrower.params[layer][0].diff, 2 * lender.params[layer][0].diff, rtol=1e-6)


def test_clearing_one_net_leaves_the_other() -> None:
    lender, borrower = pair()
    run(lender)
    run(borrower)
    borrower.clear_parameter_gradients()
    assert lender.params["b"][0].diff.any()
    assert not borrower.params["b"][0].diff.any()


def test_a_borrower_keeps_the_gradient_that_it_had() -> None:
    lender, borrower, third = net_of(), net_of(), net_of()
    borrower.params["a"][0].diff[...] = 7
    for other in (lender, lender, third):
        borrower.share_weights(other)
    assert (borrower.params["a"][0].diff == 7).all()
    assert borrower.learnable_gradients()[0].eq(7).all()
    assert not lender.params["a"][0].diff.any()


def test_a_net_may_learn_weights_of_one_that_does_not() -> None:
    lender, borrower = net_of(loss=""), net_of()
    borrower.share_weights(lender)
    run(borrower)
    assert borrower.params["a"][0].diff.any()
    run(lender)
    assert not lender.params["a"][0].diff.any()


def test_gradients_over_one_memory_are_so_after_a_move() -> None:
    _, borrower = pair(PERMISSIVE)
    borrower.gradients.move(torch.device("cpu"))
    borrower.params["a"][0].diff[...] = 3
    assert (borrower.params["b"][0].diff == 3).all()


def test_a_cleared_gradient_takes_no_memory_and_reads_as_zeros() -> None:
    net = net_of()
    run(net)
    net.clear_parameter_gradients()
    assert net.existing_gradients() == []
    assert not net.params["a"][0].diff.any()
    assert len(net.existing_gradients()) == 1


def test_an_array_of_a_gradient_stays_the_gradient_over_passes() -> None:
    net = net_of()
    array = net.params["a"][0].diff
    for _ in range(2):
        net.clear_parameter_gradients()
        assert not array.any()
        run(net)
        assert array.any()
        np.testing.assert_array_equal(array, net.params["a"][0].diff)
    array[...] = 3
    assert net.gradients.of(net.learnable[0].parameter).eq(3).all()
