"""`import caffe` after install_as_caffe."""

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import caffe_compat
from caffe_compat.errors import MissingFeatureError
from caffe_compat.net.settings import surroundings
from caffe_compat.pycaffe.install import MODULES

IMPORTS = """
import caffe_compat; caffe_compat.install_as_caffe()
import caffe, caffe.io, caffe.draw, caffe.net_spec, caffe.coord_map, caffe.classifier, caffe.detector, caffe.pycaffe
from caffe import layers as L, params as P, NetSpec, to_proto
from caffe.proto import caffe_pb2
from caffe.pycaffe import Net
import caffe.proto.caffe_pb2 as again
n = caffe.NetSpec()
n.data = L.Input(shape=dict(dim=[2, 3, 4, 5]))
n.pool = L.Pooling(n.data, pool=P.Pooling.AVE, kernel_size=2)
assert n.to_proto().layer[1].pooling_param.pool == caffe_pb2.PoolingParameter.AVE
assert Net is caffe.Net and again is caffe_pb2 and caffe.io.caffe_pb2 is caffe_pb2
assert caffe.coord_map.crop and caffe.draw.draw_net and caffe.Layer and caffe._caffe.Net is caffe.Net
"""


def test_every_form_of_import_works() -> None:
    subprocess.run([sys.executable, "-c", IMPORTS], check=True, cwd=Path(__file__).parents[2])


def test_python_layers_then_run() -> None:
    caffe_compat.install_as_caffe(allow_python_layers=False)
    assert not surroundings().allow_python_layers
    caffe_compat.install_as_caffe()
    assert surroundings().allow_python_layers


def test_every_module_has_its_place() -> None:
    caffe_compat.install_as_caffe()
    for name, place in MODULES.items():
        assert importlib.import_module(name) is sys.modules[place]


def test_caffe_has_caffes_version_and_all_names_of_this_package() -> None:
    caffe_compat.install_as_caffe()
    caffe = importlib.import_module("caffe")
    assert (caffe.__version__, caffe.__name__) == ("1.0.0", "caffe")
    assert caffe.Net is caffe_compat.Net
    assert set(caffe_compat.__all__) <= set(dir(caffe))
    caffe_compat.install_as_caffe()
    assert importlib.import_module("caffe") is caffe
    with pytest.raises(AttributeError, match=r"no attribute 'nothing'"):
        _ = caffe.nothing


def test_another_caffe_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "caffe", ModuleType("caffe"))
    with pytest.raises(MissingFeatureError, match=r"^another caffe is imported already, from an unknown place"):
        caffe_compat.install_as_caffe()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("from caffe.model_libs import *", r"^caffe.model_libs is a module of SSD's Caffe: copy its .*model_libs.py"),
        ("from caffe.model_libs import VGGNetBody", r"^caffe.model_libs is a module of SSD's Caffe"),
        ("from caffe.segmenter import Segmenter", r"^caffe.segmenter is a module of CRF-RNN's Caffe"),
    ],
)
def test_a_module_of_another_caffe_is_named(line: str, message: str) -> None:
    caffe_compat.install_as_caffe()
    with pytest.raises(MissingFeatureError, match=message):
        exec(line, {"caffe": importlib.import_module("caffe")})
