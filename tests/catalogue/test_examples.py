"""Every type has an example that can be built."""

from pathlib import Path

import pytest

from caffe_compat.catalogue.examples import example_of, write_files
from caffe_compat.layers import create_layer, layer_types
from caffe_compat.layers.spec import LayerSpec


@pytest.mark.parametrize("layer_type", layer_types())
def test_examples_can_be_built(layer_type: str, tmp_path: Path) -> None:
    write_files(tmp_path)
    layer = create_layer(LayerSpec(example_of(layer_type, tmp_path), allow_python_layers=True))
    getattr(layer, "close", lambda: None)()
    assert layer.name == layer_type
