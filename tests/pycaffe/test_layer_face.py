"""Python layers come out as the user's own objects; the program must have allowed them."""

import sys
from types import ModuleType

import pytest

from caffe_compat.errors import MissingFeatureError
from caffe_compat.layers.utility.python_interface import Blobs, PythonLayer
from caffe_compat.proto.caffe_pb2 import TEST
from caffe_compat.pycaffe.net import Net
from caffe_compat.pycaffe.process import allow_python_layers
from tests.pycaffe.conftest import NetFile

TEXT = """
layer { name: 'numbers' type: 'Python' top: 'numbers'
  python_param { module: 'a_users_module' layer: 'Numbers' param_str: '3' } }
"""


class Numbers(PythonLayer):
    """What `tell` was last given, in a blob of param_str's size."""

    def setup(self, bottom: Blobs, top: Blobs) -> None:
        top[0].reshape(int(self.param_str))
        self.number = 0

    def reshape(self, bottom: Blobs, top: Blobs) -> None:
        pass

    def tell(self, number: int) -> None:
        self.number = number

    def forward(self, bottom: Blobs, top: Blobs) -> None:
        top[0].data[...] = self.number


@pytest.fixture
def users_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("a_users_module")
    vars(module)["Numbers"] = Numbers
    monkeypatch.setitem(sys.modules, "a_users_module", module)


@pytest.mark.usefixtures("users_module")
def test_a_python_layer_is_the_users_object(net_file: NetFile) -> None:
    net = Net(net_file(TEXT), TEST, allow_python_layers=True)
    numbers = net.layers[0]
    assert isinstance(numbers, Numbers)
    numbers.tell(7)
    assert net.forward()["numbers"].tolist() == [7, 7, 7]
    assert net.layers[0].type == "Python"


@pytest.mark.usefixtures("users_module")
def test_python_layers_must_be_allowed(net_file: NetFile) -> None:
    with pytest.raises(MissingFeatureError, match=r"layer 'numbers' \(Python\): runs the code of 'a_users_module'"):
        Net(net_file(TEXT), TEST)
    allow_python_layers()
    Net(net_file(TEXT), TEST)
    with pytest.raises(MissingFeatureError, match="runs the code"):
        Net(net_file(TEXT), TEST, allow_python_layers=False)
