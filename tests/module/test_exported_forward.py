"""A module that runs in another runtime, against the same module layer by layer."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from caffe_compat.errors import ShapeError
from tests.module.nets import TEXT, images, layer_of, small

pytest.importorskip("onnxruntime")

ENGINES = {"onnxruntime": 1e-5, "openvino": 1e-5, "openvino-bf16": 3e-2}


@pytest.fixture(params=ENGINES)
def engine_name(request):
    if request.param.startswith("openvino"):
        pytest.importorskip("openvino")
    return request.param


def difference(module, values):
    """The largest difference from the exact engine, of the largest value."""
    name = module.engine
    with torch.no_grad():
        found = module(values)
        module.use_engine("exact")
        exact = module(values)
        module.use_engine(name)
    return float((found - exact).abs().max() / exact.abs().max())


def test_any_batch_gives_the_exact_results(engine_name):
    module = small()
    module.use_engine(engine_name)
    assert difference(module, images()) < ENGINES[engine_name]
    assert difference(module, torch.cat([images(), 2 * images()])) < ENGINES[engine_name]


def test_an_empty_batch_is_none_of_the_runtime_s(engine_name):
    module = small()
    module.use_engine(engine_name)
    with torch.no_grad():
        assert module(images()[:0]).shape == (0, 5)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 4, 9, 8), r"^layer 'conv1' \(Convolution\): expected 4 axes with 3 channels on axis 1, got a bottom of"),
        ((3, 9, 8), r"^layer 'conv1' \(Convolution\): expected 4 axes with 3 channels on axis 1, got a bottom of"),
    ],
)
def test_wrong_shapes_name_the_layer_as_in_every_engine(engine_name, shape, message):
    module = small()
    for engine in (engine_name, "exact"):
        module.use_engine(engine)
        with torch.no_grad(), pytest.raises(ShapeError, match=message):
            module(images(*shape))


def test_a_size_that_the_classifier_does_not_take_is_named(engine_name):
    module = small(text=TEXT.replace("global_pooling: true", "kernel_size: 8"))
    module.use_engine(engine_name)
    with (
        torch.no_grad(),
        pytest.raises(ShapeError, match=r"^layer 'fc' \(InnerProduct\): expected 8 inputs from axis 1"),
    ):
        module(images(2, 3, 12, 11))


@pytest.mark.parametrize("outputs", [("data",), ("fc", "data"), ("data", "fc")])
def test_an_output_may_be_an_input_that_is_written_in_place(outputs, engine_name):
    first = TEXT.index('layer { name: "conv1"')
    text = TEXT[:first] + 'layer { name: "rectify" type: "ReLU" bottom: "data" top: "data" }' + TEXT[first:]
    with torch.no_grad():
        found, exact = (small(name, text, outputs=outputs)(images()) for name in (engine_name, "exact"))
    if len(outputs) == 1:
        found, exact = {"data": found}, {"data": exact}
    assert list(found) == list(outputs)
    for name in outputs:
        assert (found[name] - exact[name]).abs().max() <= ENGINES[engine_name] * exact[name].abs().max(), name


def test_changed_weights_count(engine_name):
    module = small()
    module.use_engine(engine_name)
    with torch.no_grad():
        before = module(images())
        layer_of(module, "fc").blobs[0].mul_(-3)
        assert (module(images()) - before).abs().max() > 0.1
        before = module(images())
        layer_of(module, "conv1").blobs[0].data[2, 1, 0, 1] += 9  # past autograd
        assert not torch.equal(module(images()), before)
    assert difference(module, images()) < ENGINES[engine_name]


def test_gradients_and_hooks_run_layer_by_layer(engine_name):
    module = small()
    module.use_engine(engine_name)
    module(images()).sum().backward()
    assert layer_of(module, "fc").weight.grad is not None
    seen: list[str] = []
    layer_of(module, "conv2").register_forward_hook(lambda *_: seen.append("conv2"))
    with torch.no_grad():
        module(images())
    assert seen == ["conv2"]


def test_a_copy_makes_its_own_session(engine_name):
    module = small()
    module.use_engine(engine_name)
    with torch.no_grad():
        module(images())
        other = copy.deepcopy(module)
        assert torch.equal(other(images()), module(images()))


def test_threads_may_run_one_module_with_inputs_of_their_own(engine_name):
    module = small()
    module.use_engine(engine_name)
    batches = [images(2, 3, 80, 70, seed=seed) for seed in range(4)]
    with torch.no_grad():
        expected = [module(batch) for batch in batches]

    def wrong(index):
        with torch.no_grad():
            return [turn for turn in range(25) if not torch.equal(module(batches[index]), expected[index])]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(wrong, range(4))) == [[]] * 4
