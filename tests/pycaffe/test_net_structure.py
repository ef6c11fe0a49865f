"""Names and numbers of a net's parts, as pycaffe shows them."""

import sys
from collections import OrderedDict
from types import ModuleType

import pytest

from caffe_compat.errors import MissingFeatureError
from caffe_compat.layers.utility.python_interface import Blobs, PythonLayer
from caffe_compat.net.settings import allow_python_layers
from caffe_compat.proto.caffe_pb2 import TEST
from caffe_compat.pycaffe.net import Net
from tests.pycaffe.conftest import NET, NetFile


def test_names(net: Net) -> None:
    assert net.name == "small"
    assert net.inputs == ["data", "label"]
    assert net.outputs == ["loss"]
    assert net._layer_names == ["data", "label", "conv", "relu", "fc", "loss"]
    assert list(net.blobs) == net._blob_names == ["data", "label", "conv", "scores", "loss"]
    assert list(net.params) == ["conv", "fc"]
    assert [len(blobs) for blobs in net.params.values()] == [2, 2]
    assert net.blob_loss_weights == OrderedDict(data=0, label=0, conv=0, scores=0, loss=2)


def test_tops_and_bottoms(net: Net) -> None:
    assert net.top_names["relu"] == net.bottom_names["relu"] == ["conv"]
    assert net.bottom_names["loss"] == ["scores", "label"]
    assert list(net.top_names) == list(net.bottom_names) == net._layer_names


def test_numbers(net: Net) -> None:
    assert net._inputs == [0, 1]
    assert net._outputs == [4]
    assert net._top_ids(4) == [3]
    assert net._bottom_ids(5) == [3, 1]
    assert net._blob_loss_weights == [0, 0, 0, 0, 2]
    assert net._blobs[3] is net.blobs["scores"]


def test_layers(net: Net) -> None:
    assert [layer.type for layer in net.layers] == [
        "Input",
        "Input",
        "Convolution",
        "ReLU",
        "InnerProduct",
        "SoftmaxWithLoss",
    ]
    assert net.layer_dict["fc"] is net.layers[4]
    assert net.layers[4].blobs[0] is net.params["fc"][0]
    assert list(net.layers[3].blobs) == []
    assert repr(net.layers[2]) == "<layer 'conv' (Convolution)>"


def test_blobs_of_several_readers_are_split_as_in_caffe(net_file: NetFile) -> None:
    net = Net(net_file(NET + "layer { name: 'soft' type: 'Softmax' bottom: 'scores' top: 'soft' }"), TEST)
    assert "scores_fc_0_split" in net._layer_names
    assert net.top_names["scores_fc_0_split"] == ["scores_fc_0_split_0", "scores_fc_0_split_1"]


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
