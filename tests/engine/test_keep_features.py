"""Kept features give the gradients that computed ones give, and are computed anew where they must be."""

import numpy as np
import pytest
import torch

from caffe_compat.engine.fast import FastEngine
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


@pytest.mark.parametrize(
    "layer",
    [
        'layer { name: "mix" type: "BatchNorm" bottom: "middle" top: "middle" }',
        'layer { name: "drop" type: "Dropout" bottom: "middle" top: "middle" }',
    ],
    ids=["batch statistics", "dropout"],
)
def test_features_that_depend_on_more_than_the_image_are_refused(layer: str, images: torch.Tensor) -> None:
    engine = FastEngine(build(DATA + BACKBONE + layer + HEADS))
    assert engine.keep_features(FeatureStore())
    message = (
        r"^blob 'middle': the features of an image alone and in its batch differ, since a fixed layer draws random "
        r"numbers or mixes images \(BatchNorm with use_global_stats: false\); train without --cache-features$"
    )
    with pytest.raises(GraphError, match=message):
        step(engine, images[:4], LABELS)


def test_images_are_told_apart_by_their_last_bit(images: torch.Tensor) -> None:
    store = FeatureStore()
    keeping, _ = engines(store)
    step(keeping, images[:4], LABELS)
    other = images[:4].clone()
    other.numpy().view(np.int32)[2, 1, 8, 6] ^= 1
    step(keeping, other, LABELS)
    assert (store.computed, store.read) == (5, 3)
