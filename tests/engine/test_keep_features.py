"""Kept features give the gradients that computed ones give, and are computed anew where they must be."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from caffe_compat.engine.fast import FastEngine
from caffe_compat.engine.passes import keep_features
from caffe_compat.engine.passes.keep_features import FeatureStore
from caffe_compat.errors import GraphError
from tests.engine.nets import build

FIXED = "param { lr_mult: 0 decay_mult: 0 } param { lr_mult: 0 decay_mult: 0 }"
DATA = """
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 9 dim: 7 } } }
layer { name: "in_label" type: "Input" top: "label" input_param { shape { dim: 4 dim: 5 } } }
"""
BACKBONE = f"""
layer {{ name: "low" type: "Convolution" bottom: "data" top: "low" {FIXED} convolution_param {{
  num_output: 6 kernel_size: 3 weight_filler {{ type: "xavier" }} bias_filler {{ type: "gaussian" std: 0.3 }} }} }}
layer {{ name: "norm" type: "BatchNorm" bottom: "low" top: "low" batch_norm_param {{ use_global_stats: true }} }}
layer {{ name: "relu" type: "ReLU" bottom: "low" top: "low" }}
layer {{ name: "middle" type: "Convolution" bottom: "low" top: "middle" {FIXED} convolution_param {{
  num_output: 8 kernel_size: 3 stride: 2 weight_filler {{ type: "xavier" }} }} }}
"""
HEADS = """
layer { name: "fc" type: "InnerProduct" bottom: "middle" top: "fc"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "side" type: "InnerProduct" bottom: "low" top: "side"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "sum" type: "Eltwise" bottom: "fc" bottom: "side" top: "sum" }
layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "sum" bottom: "label" top: "loss" }
"""
NET = DATA + BACKBONE + HEADS


def engines(store: FeatureStore, text: str = NET) -> tuple[FastEngine, FastEngine]:
    """One engine that keeps features and one that does not, each with its own net of the same weights."""
    keeping, plain = FastEngine(build(text)), FastEngine(build(text))
    assert keeping.keep_features(store)
    return keeping, plain


Step = tuple[torch.Tensor, dict[str, torch.Tensor]]


def step(engine: FastEngine, images: torch.Tensor, labels: torch.Tensor) -> Step:
    """The loss and the gradients of one batch, by layer."""
    net = engine.net
    net.blobs["data"].assign(images.clone())
    net.blobs["label"].assign(labels.clone())
    for parameter in net.parameters():
        parameter.grad = None
    loss = engine.forward_backward()
    gradients = {one.layer.name: one.layer.blobs[0].grad for one in net.steps if one.layer.blobs}
    return loss, {name: gradient.clone() for name, gradient in gradients.items() if gradient is not None}


def assert_same(engines: tuple[FastEngine, FastEngine], images: torch.Tensor, labels: torch.Tensor) -> None:
    (loss, gradients), (expected, wanted) = (step(engine, images, labels) for engine in engines)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0)
    assert set(gradients) == set(wanted) == {"fc", "side"}
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-4, atol=1e-5 * float(wanted[name].abs().max()))


@pytest.fixture(name="images")
def seven_images() -> torch.Tensor:
    return torch.randn(7, 3, 9, 7, generator=torch.Generator().manual_seed(3))


LABELS = (torch.rand(4, 5, generator=torch.Generator().manual_seed(4)) > 0.5).float()


def test_an_image_is_computed_once_in_whatever_batch_it_comes(images: torch.Tensor) -> None:
    store = FeatureStore()
    both = engines(store)
    for batch, computed, read in (
        ([0, 1, 2, 3], 4, 0),
        ([3, 1, 0, 2], 4, 4),
        ([5, 1, 6, 2], 6, 6),
        ([6, 5, 4, 4], 8, 8),
    ):
        assert_same(both, images[batch], LABELS)
        assert (store.computed, store.read) == (computed, read)
    assert_same(both, images[[4, 6, 0, 4]], LABELS)
    assert (store.computed, store.read, store.layers) == (8, 12, 4)
    assert store.summary() == (
        f"Features of 7 images kept, {store.bytes / 1e6:.1f} MB of at most {store.most / 1e6:.0f} MB: "
        "12 of 20 passes through 4 fixed layers saved"
    )
    assert store.bytes == 7 * 4 * (6 * 7 * 5 + 8 * 3 * 2)


def test_no_room_is_no_fault(images: torch.Tensor) -> None:
    store = FeatureStore(most=2.5 * 4 * (6 * 7 * 5 + 8 * 3 * 2))
    both = engines(store)
    for _ in range(3):
        assert_same(both, images[:4], LABELS)
    assert (store.computed, store.read) == (4 + 2 + 2, 2 + 2)


def test_changed_weights_clear_the_store_and_rewritten_ones_do_not(images: torch.Tensor) -> None:
    store = FeatureStore()
    both = engines(store)
    assert_same(both, images[:4], LABELS)
    for engine in both:
        with torch.no_grad():
            engine.net.step_of("middle").layer.blobs[0].sub_(0.0)  # what an update with rate 0 does
    assert_same(both, images[:4], LABELS)
    assert (store.computed, store.read) == (4, 4)
    for engine in both:
        engine.net.params["low"][0].data[...] *= 1.5
    assert_same(both, images[:4], LABELS)
    assert (store.computed, store.read) == (8, 4)


def test_an_update_with_rate_0_costs_no_digest_of_the_weights(
    images: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    digested: list[tuple[int, ...]] = []
    digest = keep_features._digest

    def noting(tensors: Sequence[torch.Tensor]) -> bytes:
        digested.extend(tuple(tensor.shape) for tensor in tensors)
        return digest(tensors)

    monkeypatch.setattr(keep_features, "_digest", noting)
    keeping, _ = engines(FeatureStore())
    for _ in range(3):
        step(keeping, images[:4], LABELS)
        with torch.no_grad():
            keeping.net.step_of("middle").layer.blobs[0].sub_(0.0)
    assert set(digested) == {(3, 9, 7)}


def test_test_nets_and_other_forwards_do_not_read_it(images: torch.Tensor) -> None:
    store = FeatureStore()
    keeping, plain = engines(store)
    for engine in (keeping, plain):
        engine.net.blobs["data"].assign(images[:4].clone())
    torch.testing.assert_close(keeping.forward(), plain.forward())
    assert store.computed == 0


def test_bfloat16_features_are_kept_as_they_are(images: torch.Tensor) -> None:
    store = FeatureStore()
    keeping = FastEngine(build(NET), precision=torch.bfloat16)
    assert keeping.keep_features(store)
    first, again = (step(keeping, images[:4], LABELS)[0] for _ in range(2))
    assert torch.equal(first, again)
    assert store.read == 4
    assert store.bytes == 4 * 2 * (6 * 7 * 5 + 8 * 3 * 2)


def test_nothing_is_kept_where_all_learns() -> None:
    engine = FastEngine(build(DATA + BACKBONE.replace(FIXED, "") + HEADS))
    before = engine.learning_plan
    assert not engine.keep_features(FeatureStore())
    assert engine.learning_plan is before


def assert_trains_the_same(text: str, inputs: dict[str, torch.Tensor], orders: list[list[int]]) -> FeatureStore:
    """Gradients and all blobs, statistics included, are those of an engine that keeps nothing."""
    store = FeatureStore()
    both = engines(store, text)
    for order in orders:
        for engine in both:
            for name, values in inputs.items():
                engine.net.blobs[name].assign(values[order].clone())
            engine.forward_backward()
    for found, expected in zip(*(engine.net.parameters() for engine in both), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-4, atol=1e-5)
    return store


MIX = 'layer { name: "mix" type: "BatchNorm" bottom: "middle" top: "middle" }'


@pytest.mark.parametrize("batch", [1, 4])
def test_statistics_of_a_batch_and_what_reads_them_are_computed_each_time(batch: int, images: torch.Tensor) -> None:
    text = (DATA + BACKBONE + MIX + HEADS).replace("dim: 4", f"dim: {batch}")
    labels = torch.cat([LABELS, LABELS[:3].flip(1)])
    orders = [[0, 1, 2, 3][:batch], [1, 3, 5, 0][:batch], [0, 1, 2, 3][:batch]]
    store = assert_trains_the_same(text, {"data": images, "label": labels}, orders)
    assert store.layers == 4
    assert store.read > 0


def test_a_recurrent_layer_whose_state_goes_on_is_computed_each_time() -> None:
    lstm = f"""
layer {{ name: "in" type: "Input" top: "data" input_param {{ shape {{ dim: 5 dim: 2 dim: 3 }} }} }}
layer {{ name: "in_cont" type: "Input" top: "cont" input_param {{ shape {{ dim: 5 dim: 2 }} }} }}
layer {{ name: "in_label" type: "Input" top: "label" input_param {{ shape {{ dim: 5 dim: 2 dim: 7 }} }} }}
layer {{ name: "low" type: "InnerProduct" bottom: "data" top: "low" {FIXED} inner_product_param {{
  num_output: 6 axis: 2 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "lstm" type: "LSTM" bottom: "low" bottom: "cont" top: "state" {FIXED} param {{ lr_mult: 0 }}
  recurrent_param {{ num_output: 4 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "fc" type: "InnerProduct" bottom: "state" top: "fc"
  inner_product_param {{ num_output: 7 axis: 2 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "loss" type: "EuclideanLoss" bottom: "fc" bottom: "label" top: "loss" }}
"""
    random = torch.Generator().manual_seed(5)
    data, label = (torch.randn(8, 2, size, generator=random) for size in (3, 7))
    inputs = {"data": data, "cont": torch.ones(8, 2), "label": label}
    store = assert_trains_the_same(lstm, inputs, [[0, 1, 2, 3, 4], [7, 3, 2, 5, 6], [4, 1, 0, 6, 3]])
    assert store.layers == 1
    assert store.read > 0


@pytest.mark.parametrize(
    "layers",
    [
        'layer { name: "boxes" type: "PriorBox" bottom: "middle" bottom: "data" top: "boxes" '
        "prior_box_param { min_size: 3 } }",
        'layer { name: "shift" type: "Parameter" top: "shift" param { lr_mult: 0 } '
        "parameter_param { shape { dim: 8 } } }"
        'layer { name: "add" type: "Bias" bottom: "middle" bottom: "shift" top: "middle" }',
    ],
    ids=["PriorBox", "Parameter"],
)
def test_tops_without_a_batch_are_computed_each_time(layers: str, images: torch.Tensor) -> None:
    labels = torch.cat([LABELS, LABELS[:3].flip(1)])
    orders = [[0, 1, 2, 3], [5, 1, 6, 2]]
    store = assert_trains_the_same(DATA + BACKBONE + layers + HEADS, {"data": images, "label": labels}, orders)
    assert (store.computed, store.read) == (6, 2)


def test_nan_in_the_first_image_is_no_difference(images: torch.Tensor) -> None:
    store = FeatureStore()
    keeping, plain = engines(store)
    images[0, 1, 4, 3], images[2, 0, 5, 5] = float("nan"), float("inf")
    for batch in ([0, 1, 2, 3], [2, 1, 0, 3], [4, 1, 5, 3]):
        (loss, _), (expected, _) = (step(engine, images[batch], LABELS) for engine in (keeping, plain))
        torch.testing.assert_close(loss, expected, rtol=1e-5, atol=0, equal_nan=True)
    assert loss.isfinite()
    assert (store.computed, store.read) == (6, 6)


def refusal_of(layers: str, images: torch.Tensor) -> str:
    """The error of a training whose layers read blob middle and make blob mixed of it."""
    engine = FastEngine(build(DATA + BACKBONE + layers + HEADS.replace('"middle"', '"mixed"')))
    assert engine.keep_features(FeatureStore())
    if "order" in engine.net.inputs:
        engine.net.blobs["order"].assign(torch.tensor([0.0, 2.0, 1.0, 3.0]))
    with pytest.raises(GraphError) as raised:
        step(engine, images[:4], LABELS)
    return str(raised.value)


@pytest.mark.parametrize(
    "layer",
    [
        'layer { name: "drop" type: "Dropout" bottom: "middle" top: "mixed" }',
        'layer { name: "mix" type: "Softmax" bottom: "middle" top: "mixed" softmax_param { axis: 0 } }',
        'layer { name: "in_order" type: "Input" top: "order" input_param { shape { dim: 4 } } }'
        'layer { name: "mix" type: "BatchReindex" bottom: "middle" bottom: "order" top: "mixed" }',
    ],
    ids=["dropout", "softmax over the batch", "order of the batch"],
)
def test_features_that_depend_on_more_than_the_image_are_refused(layer: str, images: torch.Tensor) -> None:
    assert refusal_of(layer, images) == (
        "blob 'mixed': the features of an image alone and in its batch differ, since a fixed layer draws random "
        "numbers, mixes images or knows the batch size; train without --cache-features"
    )


def test_layers_that_need_whole_batches_are_refused(images: torch.Tensor) -> None:
    layers = """
layer { name: "cut" type: "Slice" bottom: "middle" top: "one" top: "two" slice_param { axis: 0 } }
layer { name: "join" type: "Concat" bottom: "two" bottom: "one" top: "mixed" concat_param { axis: 0 } }
"""
    assert refusal_of(layers, images) == (
        "fixed layers need whole batches, so that features of single images cannot be kept (layer 'cut' (Slice): "
        "expected a size that 2 tops divide, or slice_point; got 1); train without --cache-features"
    )


@pytest.mark.parametrize(("shape", "found"), [("dim: 8", r"(8,)"), ("", "()")])
def test_inputs_without_one_item_per_image_are_refused(shape: str, found: str, images: torch.Tensor) -> None:
    layers = f"""
layer {{ name: "const" type: "Input" top: "const" input_param {{ shape {{ {shape} }} }} }}
layer {{ name: "add" type: "Bias" bottom: "middle" bottom: "const" top: "mixed" bias_param {{ axis: 1 }} }}
"""
    assert refusal_of(layers, images) == (
        f"fixed layers read blobs that do not all have one item per image along axis 0: 'const' {found}, "
        "'data' (4, 3, 9, 7); train without --cache-features"
    )


def test_images_are_told_apart_by_their_last_bit(images: torch.Tensor) -> None:
    store = FeatureStore()
    keeping, _ = engines(store)
    step(keeping, images[:4], LABELS)
    other = images[:4].clone()
    other.numpy().view(np.int32)[2, 1, 8, 6] ^= 1
    step(keeping, other, LABELS)
    assert (store.computed, store.read) == (5, 3)
