import logging
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message

from caffe_compat.errors import CaffeError, DialectError, FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from caffe_compat.proto.read import (
    read_blob,
    read_datum,
    read_net,
    read_solver,
    read_solver_state,
    read_text,
    read_weights,
)
from caffe_compat.proto.wire import varint

GOLDENS = Path(__file__).parents[1] / "goldens"
BVLC = GOLDENS / "bvlc/solvers/adam/s_iter_10.caffemodel"
FORK = GOLDENS / "srn_fork/solvers/sgd_step/s_iter_10.caffemodel"
CAFFEMODELS = sorted(GOLDENS.rglob("*.caffemodel"))


def schema_of(path: Path) -> ModuleType:
    return srn_fork_pb2 if "srn_fork" in path.parts else bvlc_pb2


@pytest.mark.parametrize("path", CAFFEMODELS, ids=lambda path: str(path.relative_to(GOLDENS)))
def test_weights_are_those_that_protobuf_decodes(path: Path) -> None:
    weights = read_weights(path)
    expected = schema_of(path).NetParameter.FromString(path.read_bytes())
    assert weights.path == str(path)
    assert [(layer.name, layer.type) for layer in weights.layers] == [(one.name, one.type) for one in expected.layer]
    for ours, theirs in zip(weights.layers, expected.layer, strict=True):
        assert [list(blob.shape) for blob in ours.blobs] == [list(blob.shape.dim) for blob in theirs.blobs]
        for blob, protobuf in zip(ours.blobs, theirs.blobs, strict=True):
            np.testing.assert_array_equal(blob.ravel(), np.array(protobuf.data, np.float32))


def test_detects_both_dialects() -> None:
    assert (read_weights(BVLC).dialect, read_weights(FORK).dialect) == ("bvlc", "srn_fork")
    assert read_weights(BVLC, "bvlc").dialect == "bvlc"


def test_net_of_a_caffemodel_has_structure_but_no_numbers() -> None:
    net = read_weights(FORK).net
    layer = next(layer for layer in net.layer if layer.type == "BN")
    assert layer.HasField("bn_param")
    assert layer.phase == caffe_pb2.TRAIN
    assert not any(layer.blobs for layer in net.layer)


def write(path: Path, message: Message) -> Path:
    path.write_bytes(message.SerializeToString())
    return path


def test_old_binary_nets_are_upgraded_with_their_weights(tmp_path: Path) -> None:
    net = bvlc_pb2.NetParameter(name="v0", input=["data"], input_dim=[1, 3, 4, 4])
    pad, conv = net.layers.add(bottom=["data"], top=["p"]), net.layers.add(bottom=["p"], top=["c"])
    pad.layer.name, pad.layer.type, pad.layer.pad = "pad", "padding", 2
    conv.layer.name, conv.layer.type, conv.layer.num_output = "conv", "conv", 2
    conv.layer.blobs.add(num=1, channels=1, height=1, width=2, data=[3, 4])
    conv.layer.blobs.add(num=1, channels=1, height=1, width=1, data=[5])
    weights = read_weights(write(tmp_path / "v0.caffemodel", net))
    assert [(layer.name, layer.type) for layer in weights.layers] == [("input", "Input"), ("conv", "Convolution")]
    assert [blob.tolist() for blob in weights.layers[1].blobs] == [[[[[3, 4]]]], [[[[5]]]]]
    assert list(weights.net.layer[1].convolution_param.pad) == [2]


def test_names_of_inputs_without_shapes_stay(tmp_path: Path) -> None:
    net = srn_fork_pb2.NetParameter(name="n", input=["data"])
    net.layer.add(name="a", type="BN", bottom=["data"], top=["a"])
    assert list(read_weights(write(tmp_path / "n.caffemodel", net)).net.input) == ["data"]


def test_fields_of_other_forks_decode_or_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    net = caffe_pb2.NetParameter(name="ssd")
    layer = net.layer.add(name="p", type="Permute")
    layer.permute_param.order.extend([0, 2, 3, 1])
    path = write(tmp_path / "ssd.caffemodel", net)
    weights = read_weights(path)
    assert list(weights.net.layer[0].permute_param.order) == [0, 2, 3, 1]
    assert weights.unknown_fields == []
    path.write_bytes(path.read_bytes() + b"\xa0\x3f\x05")
    assert read_weights(path).unknown_fields == ["NetParameter.1012"]
    assert "ssd.caffemodel: fields of another Caffe are left out: NetParameter.1012" in caplog.text


def test_solver_states_of_both_dialects() -> None:
    state = read_solver_state(BVLC.with_suffix(".solverstate"))
    assert (state.iter, state.learned_net, state.current_step) == (10, "s_iter_10.caffemodel", 0)
    learnable = [blob.shape for layer in read_weights(BVLC).layers for blob in layer.blobs]
    assert [blob.shape for blob in state.history] == learnable * 2
    assert read_solver_state(FORK.with_suffix(".solverstate")).current_step == 1


def test_mean_of_a_real_caffe() -> None:
    path = GOLDENS / "bvlc/data/mean.binaryproto"
    mean = read_blob(path)
    message = bvlc_pb2.BlobProto.FromString(path.read_bytes())
    assert mean.shape == (message.num, message.channels, message.height, message.width)
    np.testing.assert_array_equal(mean.ravel(), np.array(message.data, np.float32))


def test_datum(tmp_path: Path) -> None:
    datum = caffe_pb2.Datum(channels=1, height=1, width=2, data=b"ab", label=4)
    assert read_datum(write(tmp_path / "datum", datum)) == datum


def test_net_and_solver_as_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    folder = GOLDENS / "bvlc/upgrade"
    assert read_net(folder / "v1_lenet.prototxt") == read_text(
        folder / "v1_lenet.upgraded.prototxt", caffe_pb2.NetParameter
    )
    assert "Successfully upgraded file specified using deprecated V1LayerParameter" in caplog.messages
    solver = read_solver(folder / "old_solver.prototxt")
    assert (solver.type, solver.snapshot_prefix) == ("Nesterov", str(folder / "old_solver"))


READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights": (read_weights, r"weights \(.caffemodel\)"),
    "state": (read_solver_state, r"a solver state \(.solverstate\)"),
    "blob": (read_blob, r"a blob \(.binaryproto\)"),
    "datum": (read_datum, "a Datum"),
}


@pytest.mark.parametrize(
    ("reader", "given", "found"),
    [
        ("weights", "bvlc/solvers/adam/s_iter_10.solverstate", r"a solver state \(.solverstate\)"),
        ("weights", "bvlc/solvers/sgd_hdf5/s_iter_10.solverstate.h5", "a solver state .*: /current_step, /history"),
        ("weights", "bvlc/data/mean.binaryproto", r"a blob such as a mean image \(.binaryproto\)"),
        ("weights", "bvlc/upgrade/v1_lenet.prototxt", r"a net as text \(prototxt\)"),
        ("state", "bvlc/solvers/adam/s_iter_10.caffemodel", r"a net with weights \(.caffemodel\)"),
        ("state", "bvlc/solvers/sgd_hdf5/s_iter_10.caffemodel.h5", r"weights .*: /data"),
        ("state", "bvlc/upgrade/old_solver.prototxt", r"a solver as text \(prototxt\)"),
        ("blob", "srn_fork/solvers/sgd_step/s_iter_10.caffemodel", "a net with weights"),
        ("datum", "bvlc/data/mean.binaryproto", "a blob such as a mean image"),
    ],
)
def test_names_the_file_given_instead(reader: str, given: str, found: str) -> None:
    read, expected = READERS[reader]
    with pytest.raises(FormatError, match=rf"^{GOLDENS / given}: expected {expected.split()[0]}.*, found {found}"):
        read(GOLDENS / given)


def test_text_readers_name_binary_files() -> None:
    with pytest.raises(FormatError, match="expected a NetParameter as text, found a binary file"):
        read_net(BVLC)


@pytest.mark.parametrize("dropped", [1, 100, 1500])
def test_a_file_that_is_cut_off(tmp_path: Path, dropped: int) -> None:
    path = tmp_path / "cut.caffemodel"
    path.write_bytes(BVLC.read_bytes()[:-dropped])
    with pytest.raises(
        FormatError, match=r"^.*cut.caffemodel: expected weights .*, but byte \d+: .* is cut off or of ano"
    ):
        read_weights(path)


@pytest.mark.parametrize(("read", "message"), [(read_weights, "weights"), (read_blob, "a blob")])
def test_a_blob_whose_shape_lies_takes_no_memory(tmp_path: Path, read: Callable[..., Any], message: str) -> None:
    blob = caffe_pb2.BlobProto(data=[1, 2])
    blob.shape.dim.append(2**62)
    net = caffe_pb2.NetParameter()
    net.layer.add(name="a").blobs.append(blob)
    path = write(tmp_path / "f", net if read is read_weights else blob)
    with pytest.raises(
        FormatError, match=rf"expected {message} .*, but byte \d+: a blob of shape .* damaged: copy it ag"
    ):
        read(path)


def test_refuses_a_dialect_that_the_file_does_not_speak() -> None:
    with pytest.raises(DialectError, match="speaks the srn_fork dialect, not bvlc as asked; leave the dialect out"):
        read_weights(FORK, "bvlc")
    with pytest.raises(DialectError, match="no dialect 'nvidia'; choose from bvlc, srn_fork, own"):
        read_weights(FORK, "nvidia")


def test_refuses_a_net_that_protobuf_cannot_decode(tmp_path: Path) -> None:
    path = tmp_path / "clip.caffemodel"
    path.write_bytes(b"\xa2\x06\x05\x2a\x03abc")  # a layer with loss weights of three bytes
    with pytest.raises(FormatError, match=r"clip.caffemodel: not a NetParameter .* is damaged or of another"):
        read_weights(path)


def test_refuses_a_state_that_protobuf_cannot_decode(tmp_path: Path) -> None:
    path = tmp_path / "a.solverstate"
    path.write_bytes(b"\x0a\x01x")  # iter as text
    with pytest.raises(FormatError, match=r"a.solverstate: expected a solver state \(.solverstate\), found a net with"):
        read_solver_state(path)
    (tmp_path / "datum").write_bytes(b"\x32\x03abc")  # float_data of three bytes
    with pytest.raises(
        FormatError, match=r"datum: expected a Datum, found bytes that are not a Datum \(.*; copy the file"
    ):
        read_datum(tmp_path / "datum")


@pytest.mark.parametrize("given", [BVLC, FORK, BVLC.with_suffix(".solverstate")], ids=["bvlc", "srn_fork", "state"])
def test_damaged_files_give_errors_of_ours_or_are_read(tmp_path: Path, given: Path) -> None:
    generator = np.random.default_rng(5)
    original = np.frombuffer(given.read_bytes(), np.uint8)
    read = read_solver_state if given.suffix == ".solverstate" else read_weights
    path = tmp_path / "damaged"
    refused = 0
    for _ in range(150):
        data = original.copy()
        places = generator.integers(0, len(data), 3)
        data[places] = generator.integers(0, 256, 3)
        path.write_bytes(data.tobytes())
        try:
            read(path)
        except CaffeError:
            refused += 1
    assert refused > 10


def test_the_type_numbers_of_c3d_are_told_by_its_blobs(tmp_path: Path) -> None:
    """Its V1 numbers 25 and 30 to 40 are other types in BVLC's Caffe: 30 is ArgMax there."""
    values = np.arange(2 * 3 * 2 * 1 * 4, dtype="<f4")
    sizes = b"".join(bytes([number << 3, size]) for number, size in enumerate((2, 3, 2, 1, 4), 1))
    blob = sizes + b"\x32" + varint(values.nbytes) + values.tobytes()

    def layer(name: bytes, number: int, *blobs: bytes) -> bytes:
        content = b"\x22" + bytes([len(name)]) + name + bytes([5 << 3, number])
        content += b"".join(b"\x32" + varint(len(blob)) + blob for blob in blobs)
        return b"\x12" + varint(len(content)) + content

    file = tmp_path / "c3d.caffemodel"
    file.write_bytes(layer(b"c", 30, blob) + layer(b"p", 31) + layer(b"e", 25) + layer(b"d", 40) + layer(b"r", 18))
    weights = read_weights(file)
    assert [layer.type for layer in weights.net.layer] == [
        "Convolution3D", "Pooling3D", "EltwiseProduct", "DOWN_SAMPLING", "ReLU"
    ]  # fmt: skip
    np.testing.assert_array_equal(weights.layers[0].blobs[0], values.reshape(2, 3, 2, 1, 4))
    file.write_bytes(layer(b"c", 30) + layer(b"e", 25))
    assert [layer.type for layer in read_weights(file).net.layer] == ["ArgMax", "Eltwise"]
