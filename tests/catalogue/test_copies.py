"""Every layer type can be pickled and copied, as `torch.save(module)` and `copy.deepcopy(module)` need."""

import copy
import pickle
from pathlib import Path

import pytest

from caffe_compat.catalogue.examples import example_of, write_files
from caffe_compat.layers.data.base_data import DataLayer
from caffe_compat.layers.registry import create_layer, facts_of, layer_types
from caffe_compat.layers.spec import LayerSpec


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    write_files(folder)
    return folder


#: Types that no module holds: data layers, and the one that has its file open.
LEFT_OUT = {"HDF5Output", *(name for name in layer_types() if issubclass(facts_of(name), DataLayer))}


@pytest.mark.parametrize("layer_type", sorted({*layer_types()} - LEFT_OUT))
def test_a_layer_is_pickled_and_copied(layer_type: str, files: Path) -> None:
    layer = create_layer(LayerSpec(example_of(layer_type, files), allow_python_layers=True))
    for other in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)):
        assert type(other) is type(layer)
        assert other.spec.parameter == layer.spec.parameter
        assert other.spec.parameter is not layer.spec.parameter
