"""A packed convolution gives what its layers give, whatever torch's settings, the weights' memory and other threads."""

from collections.abc import Callable
from threading import Thread

import pytest
import torch
from torch import Tensor

from caffe_compat.engine import packed_convolution
from caffe_compat.engine.packed_convolution import PackedConvolution, RunWatch, is_moderate, kernels_exist
from caffe_compat.engine.passes.pack_convolutions import pack_convolutions
from caffe_compat.engine.plan import plan_steps
from tests.engine.nets import build

pytestmark = pytest.mark.skipif(not kernels_exist(), reason="this torch was built without oneDNN")

#: Float32 sums of at most 5 * 9 terms, in another order.
TOLERANCE = 1e-5

WINDOWS = pytest.mark.parametrize("window", ["kernel_size: 1", "kernel_size: 3"], ids=["product", "convolution"])


def text(window: str) -> str:
    return f"""
layer {{ name: "in" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 5 dim: 7 dim: 9 }} }} }}
layer {{ name: "one" type: "Convolution" bottom: "data" top: "one" convolution_param {{ num_output: 4 {window}
  weight_filler {{ type: "gaussian" std: 0.4 }} bias_filler {{ type: "gaussian" std: 0.6 }} }} }}
layer {{ name: "relu" type: "ReLU" bottom: "one" top: "one" }}"""


def packed(window: str) -> PackedConvolution:
    net = build(text(window), "TEST")
    (operation,) = pack_convolutions(plan_steps(net.steps, net.outputs)).operations
    assert isinstance(operation.run, PackedConvolution)
    return operation.run


def assert_as_its_layers(run: PackedConvolution, bottom: Tensor) -> None:
    with torch.no_grad():
        mine, theirs = run(bottom), run._one_by_one(bottom)
    assert torch.allclose(mine, theirs, rtol=0, atol=TOLERANCE * float(theirs.abs().max()))


@WINDOWS
def test_the_callers_default_dtype_and_device_do_not_count(window: str) -> None:
    run, bottom = packed(window), torch.randn(2, 5, 7, 9)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            assert_as_its_layers(run, bottom)
    finally:
        torch.set_default_dtype(torch.float32)


@WINDOWS
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_weights_of_another_dtype_are_converted(window: str, dtype: torch.dtype) -> None:
    run, bottom = packed(window), torch.randn(2, 5, 7, 9)
    (layer,) = run.chain[0].layers
    layer.to(dtype)
    with torch.no_grad():
        top = run(bottom)
    layer.float()
    assert_as_its_layers(run, bottom)
    with torch.no_grad():
        assert torch.equal(top, run(bottom))


def expanded(blob: Tensor) -> Tensor:
    return blob[:1].expand(blob.shape)


def apart(blob: Tensor) -> Tensor:
    return blob.repeat_interleave(2, 0)[::2]


@WINDOWS
@pytest.mark.parametrize("index", [0, 1], ids=["weight", "bias"])
@pytest.mark.parametrize("stored", [expanded, apart])
def test_weights_may_lie_anyhow_in_memory(window: str, index: int, stored: Callable[[Tensor], Tensor]) -> None:
    run, bottom = packed(window), torch.randn(2, 5, 7, 9)
    assert_as_its_layers(run, bottom)
    blob = run.chain[0].layer.blobs[index]
    blob.data = stored(blob.data)
    assert_as_its_layers(run, bottom)


@WINDOWS
def test_images_of_another_device_run_one_by_one(window: str) -> None:
    run, bottom = packed(window), torch.randn(2, 5, 7, 9)
    assert_as_its_layers(run, bottom)
    with torch.no_grad():
        assert run(bottom.to("meta")).device.type == "meta"
    assert_as_its_layers(run, bottom)


@WINDOWS
def test_another_thread_may_run_other_sizes_meanwhile(window: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run, bottom = packed(window), torch.randn(2, 5, 7, 9)

    @torch.no_grad()
    def run_nothing() -> None:
        assert run(torch.randn(0, 5, 7, 9)).numel() == 0  # no kernel takes it

    def is_moderate_later(values: Tensor) -> bool:
        if values is bottom:
            thread = Thread(target=run_nothing)
            thread.start()
            thread.join()
        return is_moderate(values)

    monkeypatch.setattr(packed_convolution, "is_moderate", is_moderate_later)
    assert_as_its_layers(run, bottom)


@torch.no_grad()
def test_bounds_follow_weights_that_change_between_two_convolutions() -> None:
    """Another thread may look for changes there: a later run must not use bounds for the weights before."""
    behind = text("kernel_size: 3").replace('"one"', '"two"').replace("data", "one").splitlines()[2:]
    net = build("\n".join([text("kernel_size: 3"), *behind]), "TEST")
    operations = pack_convolutions(plan_steps(net.steps, net.outputs)).operations
    first, second = (operation.run for operation in operations)
    assert isinstance(first, PackedConvolution)
    assert isinstance(second, PackedConvolution)
    bottom = torch.randn(2, 5, 7, 9)
    top = first(bottom)
    before = second.bound
    net.params["one"][0].data[...] *= 1000
    first.watch.look()
    second(top)
    second(first(bottom))
    assert second.bound > 900 * before


def test_a_run_of_another_thread_keeps_what_this_one_has_found() -> None:
    watch = RunWatch([])
    watch.start()
    watch.find()
    other = Thread(target=watch.start)
    other.start()
    other.join()
    assert watch.has_found
    watch.start()
    assert not watch.has_found
