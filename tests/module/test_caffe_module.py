"""What PyTorch's users expect of a module."""

import copy
import io
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional
from torch.nn.utils import parametrizations, prune

from caffe_compat.errors import GraphError, MissingFeatureError, ShapeError
from caffe_compat.layers.vision.conv import Convolution
from caffe_compat.layers.windows import ConvolutionWindow
from caffe_compat.module.caffe_module import CaffeModule
from tests.module.nets import TEXT, images, small


@pytest.fixture(name="module")
def made() -> CaffeModule:
    return small()


def part(module: nn.Module, name: str) -> Any:
    """A submodule, with the attributes of its own class."""
    return module.get_submodule(name)


def test_a_layer_is_a_submodule_of_its_type(module: CaffeModule) -> None:
    names = ["conv1", "bn1", "scale1", "relu1", "conv2", "bn2", "sum", "relu2", "pool", "drop", "fc"]
    assert list(dict(module.named_children())) == names
    assert type(module.conv1) is Convolution
    assert repr(module.conv1) == (
        "Convolution(num_output: 4 bias_term: false pad: 1 kernel_size: 3, weight (4, 3, 3, 3))"
    )
    assert "(fc): InnerProduct(num_output: 5, weight (5, 4), bias (5,))" in repr(module)
    assert module.get_submodule("bn2") is module.layers()["bn2"] is module.bn2


def test_running_statistics_are_buffers(module: CaffeModule) -> None:
    buffers = ["bn1.mean_sum", "bn1.variance_sum", "bn1.factor", "bn2.running_mean", "bn2.running_var"]
    assert list(dict(module.named_buffers())) == buffers
    assert [name for name, _ in module.named_parameters()] == [
        "conv1.weight", "scale1.weight", "scale1.bias", "conv2.weight", "conv2.bias", "bn2.weight", "bn2.bias",
        "fc.weight", "fc.bias",
    ]  # fmt: skip
    assert all(weight.requires_grad for weight in module.parameters())


def test_a_replaced_layer_takes_effect(module: CaffeModule) -> None:
    with torch.no_grad():
        module(images())
        module.fc = nn.Linear(4, 7)
        new = module(images())
        module.relu2 = nn.Sigmoid()
        other = module(images())

    assert new.shape == (2, 7)
    assert not torch.allclose(new, other)
    assert "fc.weight" in module.state_dict()
    assert module.state_dict()["fc.weight"].shape == (7, 4)


def test_a_replaced_weight_takes_effect(module: CaffeModule) -> None:
    with torch.no_grad():
        before = module(images())
        part(module, "fc").weight = nn.Parameter(2 * part(module, "fc").weight)
        part(module, "fc").bias.zero_()
        assert not torch.allclose(module(images()), before)
        part(module, "fc").weight.data.zero_()
        part(module, "conv2").weight.data.mul_(3)
        assert not module(images()).any()
        part(module, "fc").bias.fill_(2)
        assert (module(images()) == 2).all()


@pytest.mark.parametrize(
    ("layer", "setting", "value"),
    [
        ("bn1", "eps", 0.7),
        ("bn1", "eps", 2),
        ("relu1", "negative_slope", 0.3),
        ("relu1", "negative_slope", 1),
        ("relu2", "negative_slope", 2.0),
        ("sum", "operation", "MAX"),
        ("sum", "coefficients", [2.0, -1.0]),
        ("conv2", "window", ConvolutionWindow((3, 3), (1, 1), (2, 2), (2, 2))),
    ],
)
@pytest.mark.parametrize("engine", ["fast", "onnxruntime"])
def test_a_changed_setting_takes_effect(
    engine: str, layer: str, setting: str, value: object, module: CaffeModule
) -> None:
    module.use_engine(engine)
    with torch.no_grad():
        before = module(images())
        setattr(part(module, layer), setting, value)
        changed = module(images())
        module.use_engine("exact")
        torch.testing.assert_close(changed, module(images()), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(changed, before)


@pytest.mark.parametrize("engine", ["exact", "fast", "onnxruntime"])
@pytest.mark.parametrize("layer", ["conv2", "scale1", "bn2", "shift", "fc"])
def test_a_bias_of_none_is_no_bias_as_in_pytorch(layer: str, engine: str) -> None:
    text = TEXT + 'layer { name: "shift" type: "Bias" bottom: "fc" top: "fc" }'
    module, zeros = small(engine, text), small("exact", text)
    with torch.no_grad():
        before = module(images())
    part(zeros, layer).bias.data.zero_()
    part(module, layer).bias = None
    with torch.no_grad():
        found = module(images())
        torch.testing.assert_close(found, zeros(images()), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(found, before)
    torch.testing.assert_close(module.train()(images()).shape, before.shape)
    assert "bias (" not in repr(part(module, layer))


def test_a_pruned_weight_takes_effect_and_can_be_made_final(module: CaffeModule) -> None:
    expected = copy.deepcopy(module)
    prune.l1_unstructured(part(module, "conv2"), "weight", amount=0.5)
    with torch.no_grad():
        weight = part(expected, "conv2").weight
        weight.mul_(weight.abs() > weight.abs().median())
        torch.testing.assert_close(module(images()), expected(images()), rtol=1e-4, atol=1e-5)
        prune.remove(part(module, "conv2"), "weight")
        torch.testing.assert_close(module(images()), expected(images()), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("layer", ["conv2", "fc"])
def test_a_weight_may_have_a_parametrization(layer: str, module: CaffeModule) -> None:
    with torch.no_grad():
        before = module(images())
        parametrizations.weight_norm(part(module, layer), "weight")
        torch.testing.assert_close(module(images()), before, rtol=1e-4, atol=1e-5)
        part(module, layer).parametrizations.weight.original0.mul_(0)
        assert not torch.allclose(module(images()), before)
    module(images()).sum().backward()
    assert part(module, layer).parametrizations.weight.original0.grad is not None


@pytest.mark.parametrize("layer", ["conv1", "conv2", "scale1"])
def test_a_weight_written_past_autograd_takes_effect(layer: str, module: CaffeModule) -> None:
    exact = copy.deepcopy(module)
    exact.use_engine("exact")
    with torch.no_grad():
        module(images())
        for one in (module, exact):
            part(one, layer).weight.data.mul_(1.5)
        torch.testing.assert_close(module(images()), exact(images()), rtol=1e-4, atol=1e-4)


def test_a_single_number_written_past_autograd_takes_effect(module: CaffeModule) -> None:
    exact = copy.deepcopy(module)
    exact.use_engine("exact")
    with torch.no_grad():
        for name, weight in module.named_parameters():
            before = module(images())
            for one in (weight, exact.get_parameter(name)):
                one.data.view(-1)[weight.numel() // 2] += 3
            assert not torch.equal(module(images()), before), name
            torch.testing.assert_close(module(images()), exact(images()), rtol=1e-4, atol=1e-4)


def test_a_tensor_in_a_parameter_s_place_may_change(module: CaffeModule) -> None:
    conv = part(module, "conv2")
    computed = conv.weight.detach()
    del conv.weight
    with torch.no_grad():
        for factor in (1.0, 3.0):
            conv.weight = factor * computed
            found = module(images())
            exact = copy.deepcopy(module)
            exact.use_engine("exact")
            torch.testing.assert_close(found, exact(images()), rtol=1e-4, atol=1e-5)


class Gives(nn.Module):
    """Gives the same for any input."""

    def __init__(self, tops: Any) -> None:
        super().__init__()
        self.tops = tops

    def forward(self, *_: Tensor) -> Any:
        return self.tops


@pytest.mark.parametrize(
    ("tops", "found"),
    [(None, "NoneType"), ((), "none"), ((torch.ones(2), torch.ones(2)), "Tensor, Tensor"), ([1.5], "float")],
)
def test_a_module_in_a_layer_s_place_gives_its_tops(tops: Any, found: str, module: CaffeModule) -> None:
    module.pool = Gives(tops)
    with pytest.raises(
        ShapeError,
        match=rf"^layer 'pool': expected a tensor for each of pool from the Gives in its place, got {found}$",
    ):
        module(images())
    module.pool = Gives([torch.ones(2, 4)])
    assert module(images()).shape == (2, 5)


def test_a_layer_taken_away_is_named(module: CaffeModule) -> None:
    other = small()
    module.fc, message = None, r"^layer 'fc': expected a module in its place, found none; nn.Identity\(\) does nothing$"
    del other.fc
    for each in (module, other):
        with pytest.raises(GraphError, match=message):
            each(images())


def test_inputs_are_tensors_given_once(module: CaffeModule) -> None:
    array: Any = images().numpy()
    with pytest.raises(ShapeError, match=r"^net 'small': expected a tensor as input 'data', got ndarray; torch.from_"):
        module(array)
    with pytest.raises(ShapeError, match=r"^net 'small': expected inputs data, got 1 in order and data$"):
        module(images(), data=images())


def test_train_and_eval_switch_normalisation_and_dropout(module: CaffeModule) -> None:
    assert not any(part.training for part in module.modules())
    torch.manual_seed(2)
    before = copy.deepcopy(module.state_dict())
    module.train()
    assert all(part.training for part in module.modules())
    first, second = module(images()), module(images())

    assert not torch.equal(first, second)
    moved = [name for name, value in module.state_dict().items() if not torch.equal(value, before[name])]
    assert moved == list(dict(module.named_buffers()))
    module.eval()
    assert torch.equal(module(images()), module(images()))


def test_train_normalises_by_the_batch(module: CaffeModule) -> None:
    module.train()
    seen: list[Tensor] = []
    part(module, "bn1").register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    module(images())

    mean, variance = seen[0].mean(dim=(0, 2, 3)), seen[0].var(dim=(0, 2, 3), unbiased=False)
    torch.testing.assert_close(mean, torch.zeros(4), rtol=0, atol=1e-5)
    torch.testing.assert_close(variance, torch.ones(4), rtol=1e-3, atol=1e-3)


def test_one_layer_may_stay_in_eval(module: CaffeModule) -> None:
    module.train()
    part(module, "bn1").eval()
    before = part(module, "bn1").mean_sum.clone()
    module(images())

    assert torch.equal(part(module, "bn1").mean_sum, before)


def test_a_frozen_layer_stays_in_eval() -> None:
    module = small(text=TEXT.replace('top: "bn2" }', 'top: "bn2" bn_param { frozen: true } }'))
    module.train()

    assert not part(module, "bn2").training
    assert part(module, "bn1").training
    assert not part(module, "bn2").weight.requires_grad


def test_hooks_fire(module: CaffeModule) -> None:
    seen: list[object] = []
    part(module, "conv1").register_forward_hook(lambda _module, _inputs, output: seen.append(tuple(output.shape)))
    part(module, "conv2").register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs)))
    part(module, "fc").register_full_backward_hook(
        lambda _module, _gradients, outputs: seen.append(outputs[0].sum().item())
    )
    with torch.no_grad():
        module(images())
    module(images()).sum().backward()

    assert seen == [(2, 4, 9, 8), 1, (2, 4, 9, 8), 1, 10.0]


def test_a_hook_may_change_what_a_layer_gives(module: CaffeModule) -> None:
    part(module, "pool").register_forward_hook(lambda _module, _inputs, output: torch.zeros_like(output))
    with torch.no_grad():
        torch.testing.assert_close(module(images()), part(module, "fc").bias.expand(2, 5))


def test_gradients_flow_to_inputs_and_weights(module: CaffeModule) -> None:
    data = images().requires_grad_()
    module(data).square().sum().backward()

    assert data.grad is not None
    assert data.grad.abs().sum() > 0
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in module.parameters())


@pytest.mark.parametrize("shape", [(1, 3, 9, 8), (5, 3, 17, 4)])
def test_any_batch_and_size(module: CaffeModule, shape: tuple[int, ...]) -> None:
    exact = small("exact")
    with torch.no_grad():
        torch.testing.assert_close(module(images(*shape)), exact(images(*shape)), rtol=1e-4, atol=1e-5)


def test_fast_and_exact_agree_and_can_be_chosen(module: CaffeModule) -> None:
    with torch.no_grad():
        fast = module(images())
        assert module._fast._planned is not None
        module.use_engine("exact")
        torch.testing.assert_close(module(images()), fast, rtol=1e-4, atol=1e-5)
    assert small("exact").engine == "exact"
    with pytest.raises(
        MissingFeatureError,
        match=r"^no engine 'quick' for a module; expected one of: fast, exact, onnxruntime, openvino, openvino-bf16$",
    ):
        small("quick")


def _copied(module: CaffeModule) -> CaffeModule:
    return copy.deepcopy(module)


def _pickled(module: CaffeModule) -> CaffeModule:
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    loaded: CaffeModule = torch.load(file, weights_only=False)
    return loaded


@pytest.mark.parametrize("again", [_copied, _pickled])
def test_copies_and_pickles_are_whole_and_apart(module: CaffeModule, again: type) -> None:
    with torch.no_grad():
        wanted = module(images())
        other = again(module)
        torch.testing.assert_close(other(images()), wanted, rtol=0, atol=0)
        part(other, "conv1").weight.zero_()
        assert not torch.allclose(other(images()), wanted)
        torch.testing.assert_close(module(images()), wanted, rtol=0, atol=0)
    other.train()
    assert not part(module, "bn1").training


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-4), (torch.bfloat16, 0.1), (torch.float16, 0.02)])
def test_other_precisions(module: CaffeModule, dtype: torch.dtype, tolerance: float) -> None:
    with torch.no_grad():
        wanted = module(images())
        got = module.to(dtype)(images().to(dtype))

    assert got.dtype == dtype
    torch.testing.assert_close(got.float(), wanted, rtol=tolerance, atol=tolerance * wanted.abs().max().item())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_precisions_train(module: CaffeModule, dtype: torch.dtype) -> None:
    module.drop = nn.Identity()  # draws other random numbers in each precision
    other = _copied(module).to(dtype)
    outputs = []
    for each in (module.train(), other.train()):
        outputs.append(each(images().to(part(each, "fc").weight.dtype)))
        outputs[-1].square().sum().backward()

    wanted, got = (part(each, "bn2") for each in (module, other))
    pairs = [outputs, [wanted.weight.grad, got.weight.grad], [wanted.running_mean, got.running_mean]]
    for exact, rounded in pairs:
        assert rounded.dtype == dtype
        torch.testing.assert_close(rounded.float(), exact, rtol=0.1, atol=0.1 * exact.abs().max().item())


def test_it_learns(module: CaffeModule) -> None:
    module.train()
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9)
    labels = torch.tensor([1, 4])
    losses = []
    for _ in range(30):
        loss = functional.cross_entropy(module(images()), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_names_that_modules_use_and_names_with_dots() -> None:
    module = small(
        text="""
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "eval.one" type: "InnerProduct" bottom: "data" top: "a" inner_product_param { num_output: 4 } }
layer { name: "eval" type: "InnerProduct" bottom: "a" top: "b" inner_product_param { num_output: 5 } }
layer { name: "net" type: "InnerProduct" bottom: "b" top: "c" inner_product_param { num_output: 6 } }
layer { name: "conv/3x3" type: "InnerProduct" bottom: "c" top: "d" inner_product_param { num_output: 7 } }
layer { name: "twin" type: "Sigmoid" bottom: "d" top: "e" }
layer { name: "twin" type: "TanH" bottom: "e" top: "f" }
layer { name: "e." type: "Sigmoid" bottom: "f" top: "g" }
"""
    )
    assert [key for key in module.state_dict() if key.endswith("weight")] == [
        "eval.weight", "eval.one.weight", "net.weight", "conv/3x3.weight",
    ]  # fmt: skip
    data = images(2, 3)
    before = module(data)
    module.net = nn.Linear(5, 6)

    assert not torch.equal(module(data), before)
    assert module.net is not module.layers()["net"]
    assert list(module.layers()) == ["eval.one", "eval", "net", "conv/3x3", "twin", "e."]
    with torch.no_grad():
        before = module(data)
        module.get_submodule("twin'").register_forward_hook(lambda _module, _inputs, output: 2 * output)
        assert not torch.equal(module(data), before)


def test_a_layer_may_have_the_name_of_the_mode() -> None:
    module = small(text=TEXT.replace('name: "fc"', 'name: "training"'))
    assert module.train().training is True
    assert part(module, "drop").training is True
    assert module.eval().training is False
    before = module(images())
    part(module, "").training = nn.Linear(4, 6)

    assert module(images()).shape == (2, 6)
    assert before.shape == (2, 5)
    assert _copied(module).train().training is True
    assert type(module.layers()["training"]) is nn.Linear


def test_a_shared_weight_is_one_parameter() -> None:
    ip = 'type: "InnerProduct" param { name: "w" } inner_product_param { num_output: 3 bias_term: false }'
    text = f"""
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 3 }} }} }}
layer {{ name: "one" bottom: "data" top: "a" {ip} }}
layer {{ name: "two" bottom: "a" top: "b" {ip} }}
"""
    module = small(text=text)

    assert part(module, "one").weight is part(module, "two").weight
    assert len(list(module.parameters())) == 1


def test_functional_call_sees_other_weights(module: CaffeModule) -> None:
    zeros = {name: torch.zeros_like(value) for name, value in module.named_parameters()}
    with torch.no_grad():
        assert not torch.func.functional_call(module, zeros, (images(),)).any()
        assert module(images()).any()


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own use
def test_forward_mode_gives_derivatives_without_gradients(module: CaffeModule) -> None:
    derivatives = []
    for gradients in (True, False):
        with torch.set_grad_enabled(gradients), forward_ad.dual_level():
            top = module(forward_ad.make_dual(images(), images() - 0.5))
            derivatives.append(forward_ad.unpack_dual(top).tangent)
    expected, found = derivatives
    assert expected.any()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_vmap_runs_several_batches_at_once(module: CaffeModule) -> None:
    batches = torch.stack([images(), images() - 0.5, 2 * images()])
    for layout in (batches, batches.permute(0, 1, 3, 4, 2).contiguous().permute(0, 1, 4, 2, 3)):
        with torch.no_grad():
            expected = torch.stack([module(batch) for batch in batches])
            torch.testing.assert_close(torch.func.vmap(module)(layout), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layer", ["Sigmoid", "MVN", "LRN", "TanH"])
def test_transforms_of_torch_go_through_a_layer(layer: str) -> None:
    end = TEXT.index('layer { name: "conv2"')
    module = small(text=TEXT[:end] + f'layer {{ name: "last" type: "{layer}" bottom: "conv1" top: "last" }}')
    batches = torch.stack([images(), images() - 0.5, 2 * images()])

    def energy(batch: Tensor) -> Tensor:
        found: Tensor = module(batch)
        return found.pow(3).sum()

    wanted = torch.stack([torch.autograd.grad(energy(leaf), leaf)[0] for leaf in batches.clone().requires_grad_()])
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(energy))(batches), wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.func.vmap(energy)(batches), torch.stack([energy(batch) for batch in batches]))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # torch's own use
@pytest.mark.parametrize("layer", ["Sigmoid", "Swish", "MVN"])
def test_second_derivatives_are_the_same_in_each_order(layer: str) -> None:
    """A derivative of a function's own has one direction and one order; a gap would be an error, or a silent zero."""
    end = TEXT.index('layer { name: "conv2"')
    text = TEXT[:end] + f'layer {{ name: "last" type: "{layer}" bottom: "conv1" top: "last" }}'
    module = small(text=text).double()
    image = images(1, 3, 2, 2).double()

    def energy(values: Tensor) -> Tensor:
        found: Tensor = module(values)
        return found.pow(3).sum()

    slope, step = torch.func.grad(energy), 1e-5 * image
    expected = (slope(image + step) - slope(image - step)) / 2e-5
    directions: list[Any] = [torch.func.jacfwd, torch.func.jacrev]
    for outer, inner in itertools.product(directions, repeat=2):
        second = outer(inner(energy))(image).reshape(12, 12)
        torch.testing.assert_close(second @ image.flatten(), expected.flatten(), rtol=1e-5, atol=1e-5)


RECURRENT = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 4 dim: 2 dim: 3 } } }
layer { name: "cont" type: "Input" top: "cont" input_param { shape { dim: 4 dim: 2 } } }
layer { name: "lstm" type: "LSTM" bottom: "x" bottom: "cont" top: "top" recurrent_param { num_output: 5 } }
"""


def test_states_of_a_call_under_inference_mode_are_learnt_from() -> None:
    module = small(text=RECURRENT)
    with torch.inference_mode():
        module(images(4, 2, 3), torch.ones(4, 2))
    other = small(text=RECURRENT)
    other(images(4, 2, 3), torch.ones(4, 2))
    module(images(4, 2, 3), torch.ones(4, 2)).sum().backward()
    other(images(4, 2, 3), torch.ones(4, 2)).sum().backward()

    for weight, expected in zip(module.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, expected.grad)


def test_states_inside_of_a_transform_stay_there() -> None:
    module = small(text=RECURRENT)
    begun = torch.ones(4, 2)
    begun[0] = 0
    batches = torch.stack([images(4, 2, 3), images(4, 2, 3) - 0.5])
    found = torch.func.vmap(module, in_dims=(0, None))(batches, begun)

    torch.testing.assert_close(found, torch.stack([module(batch, begun) for batch in batches]))
    assert copy.deepcopy(module)(batches[0], begun).shape == (4, 2, 5)


def test_vmap_runs_several_models_at_once(module: CaffeModule) -> None:
    models = [module, small()]
    with torch.no_grad():
        for weight in models[1].parameters():
            weight.mul_(1.5)
        weights, statistics = torch.func.stack_module_state(models)

        def run(weights: dict[str, Tensor], statistics: dict[str, Tensor]) -> Tensor:
            found: Tensor = torch.func.functional_call(module, (weights, statistics), (images(),))
            return found

        expected = torch.stack([model(images()) for model in models])
        found = torch.func.vmap(run)(weights, statistics)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_vmap_trains_several_models_at_once() -> None:
    text = TEXT.replace("dropout_ratio: 0.4", "dropout_ratio: 0")
    models = [small(text=text, seed=seed).double().train() for seed in (3, 4)]
    weights, statistics = torch.func.stack_module_state(models)
    batch = images(4, 3, 9, 8).double()

    def energy(weights: dict[str, Tensor], statistics: dict[str, Tensor]) -> Tensor:
        found: Tensor = torch.func.functional_call(models[0], (weights, statistics), (batch,))
        return found.square().sum()

    gradients = torch.func.vmap(torch.func.grad(energy))(weights, statistics)
    for index, model in enumerate(models):
        model(batch).square().sum().backward()
        for name, weight in model.named_parameters():
            torch.testing.assert_close(gradients[name][index], weight.grad)
        for name, values in model.named_buffers():
            torch.testing.assert_close(statistics[name][index], values)


@pytest.mark.parametrize("first", ["BatchNorm", "BN"])
def test_vmap_cannot_keep_one_set_of_running_statistics(first: str) -> None:
    text = TEXT if first == "BatchNorm" else TEXT.replace('type: "BatchNorm"', 'type: "BN"')
    module = small(text=text.replace("batch_norm_param { use_global_stats: true }", ""), seed=3).train()
    message = rf"^layer 'bn1' \({first}\): expected running statistics for each batch of vmap, got one set; call eval"
    with pytest.raises(ShapeError, match=message):
        torch.func.vmap(module, randomness="same")(torch.stack([images(), images()]))
