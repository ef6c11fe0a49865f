"""What every layer must hold, checked in one call: `check_layer` and `assert_every_field_matters`."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from google.protobuf import text_format
from google.protobuf.message import Message
from torch import Tensor

from caffe_compat.errors import CaffeError
from caffe_compat.layers.base import Layer, LayerSpec, as_tuple
from caffe_compat.layers.registry import create_layer
from caffe_compat.proto import caffe_pb2

#: What a float64 forward may differ from plain loops: sums of some thousand terms.
TOLERANCE = 1e-9
#: What float32 may differ from float64, of the largest value.
SINGLE_TOLERANCE = 2e-5

Array = np.ndarray
Oracle = Callable[..., Array | tuple[Array, ...]]


def random_bottom(*shape: int, seed: int = 0) -> Tensor:
    """A float64 blob of N(0, 1)."""
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def layer_parameter(text: str, bottoms: int = 1, tops: int = 1) -> caffe_pb2.LayerParameter:
    """The text inside of `layer { }`; name, bottoms and tops are made up where it has none."""
    parameter = text_format.Parse(text, caffe_pb2.LayerParameter())
    parameter.name = parameter.name or "layer"
    if not parameter.bottom:
        parameter.bottom.extend(f"bottom{index}" for index in range(bottoms))
    if not parameter.top:
        parameter.top.extend(f"top{index}" for index in range(tops))
    return parameter


def build(
    text: str | caffe_pb2.LayerParameter,
    *bottoms: Tensor | Sequence[int],
    phase: str = "TRAIN",
    tops: int = 1,
    blobs: Sequence[Tensor] = (),
    dtype: torch.dtype = torch.float64,
) -> Layer:
    """The layer set up for these bottoms (or shapes): blobs from its fillers, seeded, unless given."""
    parameter = layer_parameter(text, len(bottoms), tops) if isinstance(text, str) else text
    shapes = [tuple(bottom.shape if isinstance(bottom, Tensor) else bottom) for bottom in bottoms]
    torch.manual_seed(1)
    layer = create_layer(LayerSpec(parameter, phase))
    layer.setup(*shapes)
    layer.to(dtype)
    for blob, values in zip(layer.blobs, blobs, strict=bool(blobs)):
        assert blob.shape == values.shape, f"the layer's blob is {tuple(blob.shape)}, the given {tuple(values.shape)}"
        blob.data.copy_(values)
    return layer


def run(layer: Layer, *bottoms: Tensor) -> tuple[Tensor, ...]:
    """The tops, with the random numbers always the same."""
    torch.manual_seed(2)
    return as_tuple(layer(*bottoms))


def gradient(values: Tensor) -> Tensor:
    """The gradient that a backward pass has left; fails where there is none."""
    assert values.grad is not None
    return values.grad


def check_layer(
    text: str,
    bottoms: Sequence[Tensor],
    oracle: Oracle | None = None,
    *,
    phase: str = "TRAIN",
    tops: int = 1,
    blobs: Sequence[Tensor] = (),
    gradients: bool = True,
    tolerance: float = TOLERANCE,
    single_tolerance: float = SINGLE_TOLERANCE,
) -> Layer:
    """Builds the layer and checks all that holds for every layer; returns it for more.

    `oracle(blobs, *bottoms)` gets lists of float64 arrays and gives the tops by plain loops. `gradients=False` is for
    layers without a backward, and for those whose backward, as Caffe's, is not the derivative.
    """

    def made(dtype: torch.dtype = torch.float64) -> Layer:
        return build(text, *bottoms, phase=phase, tops=tops, blobs=blobs, dtype=dtype)

    layer = made()
    before = [bottom.clone() for bottom in bottoms]
    found = run(layer, *bottoms)
    _assert_shapes_foretold(made(), bottoms, found)
    _assert_unmodified(bottoms, before)
    _assert_equal_tops(found, run(made(), *bottoms), "a second layer's forward differs")
    if not any(not blob.requires_grad for blob in layer.blobs):
        _assert_equal_tops(found, run(layer, *bottoms), "the second forward differs from the first")
    if oracle is not None:
        _assert_oracle(oracle, made(), bottoms, found, tolerance)
    _assert_single_precision(made(torch.float32), bottoms, found, single_tolerance)
    if gradients:
        check_gradients(made(), *bottoms)
    return layer


def check_gradients(layer: Layer, *bottoms: Tensor) -> None:
    """Compares backward with differences, for every bottom and blob that a gradient may reach."""
    weights = {name: blob for name, blob in layer.named_parameters() if blob.requires_grad}
    reached = [bottom.clone().requires_grad_(_reaches(layer, index)) for index, bottom in enumerate(bottoms)]

    def forward(*values: Tensor) -> tuple[Tensor, ...]:
        torch.manual_seed(2)
        named = dict(zip(weights, values[len(bottoms) :], strict=True))
        tops = as_tuple(torch.func.functional_call(layer, named, values[: len(bottoms)]))
        return tuple(top for top in tops if top.requires_grad)

    values = [weight.detach().clone().requires_grad_() for weight in weights.values()]
    assert torch.autograd.gradcheck(forward, (*reached, *values), fast_mode=True)


def assert_every_field_matters(
    text: str,
    *bottoms: Tensor,
    phase: str = "TRAIN",
    tops: int = 1,
    without_effect: Sequence[str] = (),
    tolerance: float = TOLERANCE,
) -> None:
    """Clears each set field of the `*_param` messages in turn; tops, gradients or blobs must change, or an error come.

    A field set to its default fails, too, and so proves nothing was read. `without_effect` names those that only pick
    a kernel.
    """
    parameter = layer_parameter(text, len(bottoms), tops)
    whole = _outcome(parameter, bottoms, phase)
    for path in _set_fields(parameter):
        changed = caffe_pb2.LayerParameter()
        changed.CopyFrom(parameter)
        message: Message = changed
        for part in path[:-1]:
            message = getattr(message, part)
        message.ClearField(path[-1])
        name = ".".join(path)
        differs = _differs(whole, _outcome(changed, bottoms, phase), 100 * tolerance)
        assert differs != (path[-1] in without_effect), (
            f"clearing {name}: result {'changed' if differs else 'the same'}"
        )


def assert_close(found: Tensor | Array, expected: Tensor | Array, tolerance: float = TOLERANCE) -> None:
    """Same shape, and equal within `tolerance` of the largest value; NaN equals NaN."""
    found, expected = np.asarray(torch.as_tensor(found).detach()), np.asarray(torch.as_tensor(expected).detach())
    assert found.shape == expected.shape
    finite = np.abs(expected[np.isfinite(expected)])
    scale = max(1.0, finite.max() if finite.size else 0.0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * scale, equal_nan=True)


def _reaches(layer: Layer, index: int) -> bool:
    barred = layer.no_gradient_to
    return not (barred is True or (barred is not False and index in barred))


def _assert_shapes_foretold(layer: Layer, bottoms: Sequence[Tensor], found: tuple[Tensor, ...]) -> None:
    before = [blob.detach().clone() for blob in layer.blobs]
    foretold = layer.top_shapes(*(tuple(bottom.shape) for bottom in bottoms))
    assert [tuple(top.shape) for top in found] == foretold, "top_shapes differ from the real shapes"
    for blob, values in zip(layer.blobs, before, strict=True):
        assert torch.equal(blob, values), "top_shapes modified a blob"


def _assert_unmodified(bottoms: Sequence[Tensor], before: Sequence[Tensor]) -> None:
    for index, (bottom, values) in enumerate(zip(bottoms, before, strict=True)):
        assert torch.equal(bottom, values), f"forward modified bottom {index}"


def _assert_equal_tops(found: tuple[Tensor, ...], again: tuple[Tensor, ...], message: str) -> None:
    for top, other in zip(found, again, strict=True):
        assert torch.equal(top.nan_to_num(), other.nan_to_num()), message


def _assert_oracle(
    oracle: Oracle, layer: Layer, bottoms: Sequence[Tensor], found: tuple[Tensor, ...], tolerance: float
) -> None:
    expected = oracle([blob.detach().numpy() for blob in layer.blobs], *(bottom.numpy() for bottom in bottoms))
    expected = expected if isinstance(expected, tuple) else (expected,)
    for top, values in zip(found, expected, strict=True):
        assert_close(top, values, tolerance)


def _assert_single_precision(
    layer: Layer, bottoms: Sequence[Tensor], found: tuple[Tensor, ...], tolerance: float
) -> None:
    for top, double in zip(run(layer, *(bottom.float() for bottom in bottoms)), found, strict=True):
        assert top.dtype == torch.float32, "a float32 bottom gave another type"
        assert_close(top.double(), double.double(), tolerance)


def _set_fields(message: Message, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for descriptor, value in message.ListFields():
        name = descriptor.name
        if not path and not name.endswith("_param"):
            continue
        if isinstance(value, Message):
            yield from _set_fields(value, (*path, name))
        else:
            yield (*path, name)


def _outcome(
    parameter: caffe_pb2.LayerParameter, bottoms: Sequence[Tensor], phase: str
) -> list[Tensor] | type[CaffeError]:
    """Tops, bottom gradients and blobs afterwards; or the error's class."""
    try:
        layer = build(parameter, *bottoms, phase=phase)
        inputs = [bottom.clone().requires_grad_(_reaches(layer, index)) for index, bottom in enumerate(bottoms)]
        run(layer, *inputs)  # running statistics start at 0, where no momentum shows
        tops = run(layer, *inputs)
    except CaffeError as error:
        return type(error)
    reached = [value for value in (*inputs, *layer.blobs) if value.requires_grad]
    objective = sum((top * random_bottom(*top.shape, seed=9)).sum() for top in tops if top.requires_grad)
    gradients = torch.autograd.grad(objective, reached, allow_unused=True) if isinstance(objective, Tensor) else ()
    results = [*tops, *(gradient for gradient in gradients if gradient is not None), *layer.blobs]
    return [result.detach() for result in results]


def _differs(one: list[Tensor] | type[CaffeError], other: list[Tensor] | type[CaffeError], least: float) -> bool:
    if not isinstance(one, list) or not isinstance(other, list):
        return one is not other
    if [value.shape for value in one] != [value.shape for value in other]:
        return True
    return any(float((a - b).abs().nan_to_num(1.0).max()) > least for a, b in zip(one, other, strict=True) if a.numel())
