from pathlib import Path

import numpy as np
import pytest

from caffe_compat.convert.formats.caffemodel import read_caffemodel, write_caffemodel
from caffe_compat.convert.model import Model
from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import NET_BLOBS, put_back
from tests.convert.models import model_of


def test_hdf5_gives_layers_without_types(tmp_path: Path) -> None:
    text = 'layer { name: "p" type: "Parameter" top: "p" parameter_param { shape { dim: 3 dim: 2 } } }'
    write_caffemodel(str(tmp_path / "a.h5"), model_of(text))
    model = read_caffemodel(str(tmp_path / "a.h5"))

    assert not model.has_structure
    assert [layer.name for layer in model.net.layer] == ["p"]


def test_weights_of_two_layers_of_one_name_are_refused(tmp_path: Path) -> None:
    net = caffe_pb2.NetParameter()
    for number in range(2):
        net.layer.add(name="twin", type="Bias").blobs.add(num=number)
    arrays = [np.zeros(2, np.float32)] * 2
    (tmp_path / "a").write_bytes(b"".join(put_back(net.SerializeToString(), NET_BLOBS, arrays)))
    with pytest.raises(
        FormatError, match="a: expected one layer of each name, found several with weights named 'twin'"
    ):
        read_caffemodel(str(tmp_path / "a"))


@pytest.mark.parametrize("old", [False, True])
def test_blobs_of_old_layers_come_along(old: bool, tmp_path: Path) -> None:
    net = caffe_pb2.NetParameter(name="n")
    if old:
        blobs = net.layers.add(name="ip", type=caffe_pb2.V1LayerParameter.INNER_PRODUCT, bottom=["a"], top=["b"]).blobs
    else:
        layer = net.layers.add()
        layer.layer.name, layer.layer.type = "ip", "innerproduct"
        blobs = layer.layer.blobs
    blobs.add(num=0)
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    (tmp_path / "a").write_bytes(b"".join(put_back(net.SerializeToString(), NET_BLOBS, [array])))
    model = read_caffemodel(str(tmp_path / "a"))

    assert model.layer("ip").type == "InnerProduct"
    np.testing.assert_array_equal(model.blobs["ip"][0], array)
    assert isinstance(model, Model)


def test_layers_without_weights_lose_the_name_of_one_with(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Caffe saves such a net, and its own file does not load again."""
    net = caffe_pb2.NetParameter()
    for name, kind in (("c", "ReLU"), ("c", "Bias"), ("c_2", "TanH"), ("c", "Sigmoid"), ("d", "AbsVal"), ("d", "BNLL")):
        net.layer.add(name=name, type=kind, bottom=["x"], top=["x"])
    net.layer[1].blobs.add(num=0)
    array = np.arange(3, dtype=np.float32)
    (tmp_path / "a").write_bytes(b"".join(put_back(net.SerializeToString(), NET_BLOBS, [array])))
    with caplog.at_level("WARNING"):
        model = read_caffemodel(str(tmp_path / "a"))

    assert [layer.name for layer in model.net.layer] == ["c_3", "c", "c_2", "c_4", "d", "d"]
    assert list(model.blobs) == ["c"]
    assert "a: layer 'c' (ReLU) is read as 'c_3': a layer with weights has its name" in caplog.text
