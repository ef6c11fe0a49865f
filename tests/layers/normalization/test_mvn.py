"""MVN against plain loops, and Caffe's backward where the derivative ends."""

import numpy as np
import pytest
import torch

from caffe_compat.errors import ShapeError
from tests.layers.harness import Array, assert_close, assert_every_field_matters, build, check_layer, random_bottom, run


@pytest.mark.parametrize("fields", ["", "across_channels: true", "normalize_variance: false"])
def test_normalises(fields: str) -> None:
    def oracle(_: list[Array], bottom: Array) -> Array:
        top = np.empty_like(bottom)
        for n, c in np.ndindex(2, 3):
            values = bottom[n] if "across" in fields else bottom[n, c]
            deviation = 1.0 if "variance" in fields else np.sqrt(((values - values.mean()) ** 2).mean()) + 1e-9
            top[n, c] = (bottom[n, c] - values.mean()) / deviation
        return top

    check_layer(f"type: 'MVN' mvn_param {{ {fields} }}", [random_bottom(2, 3, 4, 5)], oracle)


def test_fewer_axes_become_four() -> None:
    bottom = random_bottom(3, 4)
    layer = check_layer("type: 'MVN' mvn_param { across_channels: true }", [bottom])
    (top,) = run(layer, bottom)
    assert top.shape == (3, 4, 1, 1)
    assert_close(top.flatten(1), (bottom - bottom.mean(1, True)) / bottom.std(1, correction=0, keepdim=True), 1e-7)


def test_backward_takes_eps_as_part_of_the_deviation() -> None:
    """mvn_layer.cpp: (dy - mean(dy) - y mean(y dy)) / (deviation + eps), by loops."""
    bottom, gradient = random_bottom(2, 3, 4, 5), random_bottom(2, 3, 4, 5, seed=1)
    layer = build("type: 'MVN' mvn_param { eps: 0.5 }", bottom)
    reached = bottom.clone().requires_grad_()
    run(layer, reached)[0].backward(gradient)
    expected = np.empty_like(bottom.numpy())
    for n, c in np.ndindex(2, 3):
        x, dy = bottom[n, c].numpy(), gradient[n, c].numpy()
        deviation = x.std() + 0.5
        y = (x - x.mean()) / deviation
        expected[n, c] = (dy - dy.mean() - y * (y * dy).mean()) / deviation
    assert reached.grad is not None
    assert_close(reached.grad, expected)


def test_a_flat_channel_has_a_finite_gradient() -> None:
    bottom = torch.full((1, 2, 3, 4), 7.0, requires_grad=True)
    (top,) = run(build("type: 'MVN'", bottom), bottom)
    (top * random_bottom(1, 2, 3, 4).float()).sum().backward()
    assert bottom.grad is not None
    assert bottom.grad.isfinite().all()


@pytest.mark.parametrize("fields", ["", "across_channels: true", "eps: 0.3"])
def test_the_gradient_has_a_gradient(fields: str) -> None:
    """Code that puts a gradient into a loss needs it; torch.autograd.grad gave zero in its place."""
    layer = build(f"type: 'MVN' mvn_param {{ {fields} }}", (2, 3, 2, 2))
    assert torch.autograd.gradgradcheck(layer, random_bottom(2, 3, 2, 2).requires_grad_())
    flat = torch.ones(1, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(flat).pow(2).sum(), flat, create_graph=True)
    (second,) = torch.autograd.grad(gradient.sum(), flat)
    assert second.isfinite().all()


def test_every_field_matters() -> None:
    bottom = random_bottom(2, 3, 4, 5)
    assert_every_field_matters("type: 'MVN' mvn_param { across_channels: true eps: 0.25 }", bottom)
    assert_every_field_matters("type: 'MVN' mvn_param { normalize_variance: false }", bottom)


def test_refuses_five_axes() -> None:
    with pytest.raises(ShapeError, match=r"^layer 'mvn' \(MVN\): expected at most 4 axes, got \[1, 2, 3, 4, 5\]"):
        build("name: 'mvn' type: 'MVN'", (1, 2, 3, 4, 5)).top_shapes((1, 2, 3, 4, 5))
