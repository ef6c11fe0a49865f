from pathlib import Path

import numpy as np
import pytest
from google.protobuf.message import Message

from caffe_compat.errors import DialectError, ShapeError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from caffe_compat.proto.read import read_blob, read_solver_state, read_text, read_weights
from caffe_compat.proto.text import format_text, parse_text
from caffe_compat.proto.write import write_blob, write_solver_state, write_text, write_weights

GOLDENS = Path(__file__).parents[1] / "goldens"
CAFFEMODELS = sorted(GOLDENS.rglob("*.caffemodel"))
STATES = sorted(GOLDENS.rglob("*.solverstate"))


def net_of(data: bytes, path: Path) -> Message:
    net: Message = (srn_fork_pb2 if "srn_fork" in path.parts else bvlc_pb2).NetParameter.FromString(data)
    return net


def without_batch_norm_rates(net):
    """BatchNorm's rates of 0, which an upgrade on load spells out."""
    for layer in net.layer:
        if layer.type == "BatchNorm":
            layer.ClearField("param")
    return net


@pytest.mark.parametrize("path", CAFFEMODELS, ids=lambda path: str(path.relative_to(GOLDENS)))
def test_written_again_a_caffemodel_is_the_same(path: Path, tmp_path: Path) -> None:
    weights = read_weights(path)
    copy = tmp_path / "copy.caffemodel"
    dialect = "srn_fork" if "srn_fork" in path.parts else "bvlc"
    write_weights(copy, weights.net, {layer.name: layer.blobs for layer in weights.layers}, dialect)
    before, after = path.read_bytes(), copy.read_bytes()
    if any(layer.type == "BatchNorm" for layer in weights.layers):
        assert without_batch_norm_rates(net_of(before, path)) == without_batch_norm_rates(net_of(after, path))
    else:
        assert before == after


@pytest.mark.parametrize("path", STATES, ids=lambda path: str(path.relative_to(GOLDENS)))
def test_written_again_a_solver_state_is_the_same(path: Path, tmp_path: Path) -> None:
    write_solver_state(tmp_path / "copy.solverstate", read_solver_state(path))
    assert (tmp_path / "copy.solverstate").read_bytes() == path.read_bytes()


NET = """
name: "n"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" phase: TEST
        convolution_param { kernel_size: [1, 3] num_output: 2 } }
layer { name: "scale" type: "Scale" bottom: "conv" top: "scale" phase: TEST }
"""
GENERATOR = np.random.default_rng(2)
BLOBS = {
    "conv": [GENERATOR.normal(size=(2, 3, 1, 3)).astype(np.float32), GENERATOR.normal(size=2).astype(np.float32)],
    "scale": [GENERATOR.normal(size=2).astype(np.float32)],
}


@pytest.mark.parametrize("dialect", ["bvlc", "srn_fork", "own"])
@pytest.mark.parametrize("name", ["w.caffemodel", "w.caffemodel.h5"])
def test_weights_there_and_back(tmp_path: Path, dialect: str, name: str) -> None:
    net = parse_text(NET, caffe_pb2.NetParameter)
    write_weights(tmp_path / name, net, BLOBS, dialect)
    weights = read_weights(tmp_path / name)
    found = {layer.name: layer.blobs for layer in weights.layers}
    assert set(found) >= {"conv", "scale"}
    for layer, blobs in BLOBS.items():
        for blob, expected in zip(found[layer], blobs, strict=True):
            np.testing.assert_array_equal(blob, expected)


def test_the_fork_finds_its_own_words(tmp_path: Path) -> None:
    write_weights(tmp_path / "w", parse_text(NET, caffe_pb2.NetParameter), BLOBS, "srn_fork")
    net = srn_fork_pb2.NetParameter.FromString((tmp_path / "w").read_bytes())
    assert list(net.input) == ["data"]
    assert [layer.name for layer in net.layer] == ["conv", "scale"]
    assert (net.layer[0].convolution_param.kernel_h, net.layer[0].convolution_param.kernel_w) == (1, 3)
    assert net.layer[0].phase == srn_fork_pb2.TEST


@pytest.mark.parametrize(("layer_type", "dialect"), [("BN", "srn_fork"), ("BatchNorm", "bvlc")])
def test_auto_takes_the_dialect_of_the_layers(tmp_path: Path, layer_type: str, dialect: str) -> None:
    net = caffe_pb2.NetParameter(name="n")
    net.layer.add(name="a", type=layer_type)
    write_weights(tmp_path / "w", net, {"a": [np.ones((1, 3), np.float32)]})
    assert read_weights(tmp_path / "w").dialect == dialect


def test_layers_of_one_name_all_get_the_blobs(tmp_path: Path) -> None:
    net = caffe_pb2.NetParameter(name="n")
    for phase in (caffe_pb2.TRAIN, caffe_pb2.TEST):
        net.layer.add(name="a", type="Scale", phase=phase)
    write_weights(tmp_path / "w", net, {"a": [np.ones(3, np.float32)]})
    assert [len(layer.blobs) for layer in read_weights(tmp_path / "w").layers] == [1, 1]


def test_text_with_a_header(tmp_path: Path) -> None:
    net = parse_text(NET, caffe_pb2.NetParameter)
    write_text(tmp_path / "n.prototxt", net, "made by x\n\nfor y")
    written = (tmp_path / "n.prototxt").read_text()
    assert written == "# made by x\n#\n# for y\n" + format_text(net)
    assert read_text(tmp_path / "n.prototxt", caffe_pb2.NetParameter) == net


def test_mean_there_and_back(tmp_path: Path) -> None:
    mean = GENERATOR.normal(size=(1, 3, 4, 5)).astype(np.float32)
    write_blob(tmp_path / "mean.binaryproto", mean)
    np.testing.assert_array_equal(read_blob(tmp_path / "mean.binaryproto"), mean)
    message = bvlc_pb2.BlobProto.FromString((tmp_path / "mean.binaryproto").read_bytes())
    assert list(message.shape.dim) == [1, 3, 4, 5]


def test_refuses_blobs_for_layers_that_the_net_lacks(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match=r"w: blobs for \['other'\], but the net has no such layers"):
        write_weights(tmp_path / "w", parse_text(NET, caffe_pb2.NetParameter), {"other": []})


def test_refuses_more_than_caffe_can_read(tmp_path: Path) -> None:
    huge = np.broadcast_to(np.float32(1), (2**29,))
    with pytest.raises(
        DialectError, match=r"^net 'n': 2147483648 bytes of weights, but Caffe .* write HDF5, to a name"
    ):
        write_weights(tmp_path / "w", parse_text(NET, caffe_pb2.NetParameter), {"conv": [huge]})
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "w").write_text("old")
    net = caffe_pb2.NetParameter()
    net.layer.add(name="a", type="ELU")
    with pytest.raises(DialectError, match=r"^layer 'a' \(ELU\)"):
        write_weights(tmp_path / "w", net, {}, "srn_fork")
    assert (tmp_path / "w").read_text() == "old"
