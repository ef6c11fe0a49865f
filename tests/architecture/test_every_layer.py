"""Every layer type has one file of its name in a family, a line in the family's __init__, and a test."""

from pathlib import Path

import pytest

import caffe_compat.layers
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import _LAYERS

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ROOT / "caffe_compat" / "layers"
MODULES = sorted({cls.__module__ for cls in _LAYERS.values()})


def test_layers_are_registered() -> None:
    assert caffe_compat.layers.layer_types()


@pytest.mark.parametrize("module", MODULES)
def test_a_layer_has_a_line_and_a_test(module: str) -> None:
    family, name = module.split(".")[-2:]
    assert f"from {module} import" in (LAYERS / family / "__init__.py").read_text(), (
        f"add a line to {family}/__init__.py"
    )
    test = ROOT / "tests" / "layers" / family / f"test_{name}.py"
    assert test.exists(), f"add {test.relative_to(ROOT)}"


@pytest.mark.parametrize("module", MODULES)
def test_a_layer_file_is_small(module: str) -> None:
    lines = (ROOT / (module.replace(".", "/") + ".py")).read_text().count("\n")
    assert lines <= 260, f"{module} has {lines} lines: split it"


@pytest.mark.parametrize("layer_type", sorted(_LAYERS))
def test_a_layer_computes_the_shapes_of_its_tops(layer_type: str) -> None:
    """A run on tensors without data would import torch's compiler, which takes a second."""
    kind = _LAYERS[layer_type]
    states = (
        kind.keeps_shape or kind.top_shapes is not Layer.top_shapes or "keeps_shape" in kind.__init__.__code__.co_names
    )
    assert states, f"write top_shapes in {kind.__name__}, or keeps_shape = True"
