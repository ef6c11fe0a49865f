"""What a net expects of an image is read from layers and flags, and stored in every kind of file."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from google.protobuf import text_format

import caffe_compat as caffe
from caffe_compat.convert.conversion import convert
from caffe_compat.convert.formats.caffemodel import write_caffemodel
from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.model import Model
from caffe_compat.convert.options import Options
from caffe_compat.convert.stored_preprocessing import mean_of_file, preprocessing_of, stated
from caffe_compat.data.preprocessing import BGR, GRAY, RGB, ImageFlags, Preprocessing
from caffe_compat.errors import DataError, FieldError, MissingFeatureError, ShapeError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects.translate import BVLC, SRN_FORK
from caffe_compat.proto.read import read_net
from caffe_compat.proto.write import write_text
from tests.convert.models import model_of

DATA = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { mean_value: 1 mirror: true crop_size: 6 } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { mean_value: 104 mean_value: 117.5 mean_value: 123 scale: 0.5 crop_size: 6 } }
"""
INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 7 } } }'
CONV = """layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 } }"""
STORED = Preprocessing(BGR, (104, 117.5, 123), 0.5)


def source(folder: Path, images: Preprocessing | None = STORED, text: str = INPUT + CONV) -> str:
    """A caffemodel that says `images`."""
    model = model_of(text)
    path = str(folder / "net.caffemodel")
    write_caffemodel(path, model)
    if images is not None:
        path = str(folder / "stored.caffemodel")
        flags = ImageFlags(images.channels, images.mean, images.scale)
        convert(str(folder / "net.caffemodel"), "caffemodel", path, Options(images=flags))
    return path


def net_of(text: str) -> caffe_pb2.NetParameter:
    return text_format.Parse(text, caffe_pb2.NetParameter())


def of_onnx(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


@pytest.mark.parametrize("to", ["safetensors", "torch", "caffemodel"])
@pytest.mark.parametrize("images", [STORED, Preprocessing(RGB, (127.5,), 1 / 128), Preprocessing(BGR)])
@pytest.mark.parametrize("dialect", [BVLC, SRN_FORK])
def test_every_file_that_holds_a_net_stores_it(dialect: str, images: Preprocessing, to: str, tmp_path: Path) -> None:
    start = source(tmp_path, images)
    away = convert(start, to, str(tmp_path / f"away.{to}"), Options(dialect=dialect)).path
    module = caffe.load(away)
    assert module.preprocessing == images

    for suffix in ("safetensors", "pt", "caffemodel", "onnx"):
        caffe.save(module, str(tmp_path / f"back.{suffix}"))
    for name in ("back.safetensors", "back.pt", "back.caffemodel"):
        assert caffe.load(str(tmp_path / name)).preprocessing == images
    assert of_onnx(tmp_path / "back.onnx") == {
        "preprocessing.channels": images.channels,
        "preprocessing.mean": ",".join(f"{value:g}" for value in images.mean) or "0",
        "preprocessing.scale": f"{images.scale:g}",
        "preprocessing.size": "6,7",
    }


@pytest.mark.parametrize("dialect", [BVLC, SRN_FORK])
@pytest.mark.parametrize("form", ["deploy", "train"])
def test_prototxts_store_it_where_both_caffes_accept_it(form: str, dialect: str, tmp_path: Path) -> None:
    images = Preprocessing(RGB, (1, 2, 3), 0.25)
    path = convert(source(tmp_path, images), "prototxt", None, Options(dialect=dialect, form=form)).path
    net = read_net(path)

    assert stated(net, "data") == images
    assert caffe.load(str(tmp_path / "net.caffemodel"), prototxt=path).preprocessing == images
    assert list(caffe.Net(path, caffe.TEST).blobs["conv"].shape) == [2, 4, 4, 5]  # the rule excludes no layer


def test_data_layers_say_it_and_those_of_phase_test_first(tmp_path: Path) -> None:
    write_caffemodel(str(tmp_path / "net.caffemodel"), model_of(INPUT + CONV))
    (tmp_path / "train_val.prototxt").write_text(DATA + CONV)
    options = Options(prototxt=str(tmp_path / "train_val.prototxt"), check=False)
    done = convert(str(tmp_path / "net.caffemodel"), "onnx", str(tmp_path / "net.onnx"), options)

    assert of_onnx(tmp_path / "net.onnx")["preprocessing.mean"] == "104,117.5,123"
    assert of_onnx(tmp_path / "net.onnx")["preprocessing.size"] == "6,6"
    assert f"images of 'data': {STORED}" in done.report.notes


def test_the_trained_net_says_it_for_a_deploy_net_that_does_not(tmp_path: Path) -> None:
    model = model_of(INPUT + CONV)
    trained = net_of(DATA.replace("phase: TRAIN", "phase: TEST") + CONV)
    write_caffemodel(str(tmp_path / "net.caffemodel"), Model(trained, model.blobs, BVLC, ""))
    (tmp_path / "deploy.prototxt").write_text(INPUT + CONV)
    load = caffe.load
    assert load(str(tmp_path / "net.caffemodel")).preprocessing == Preprocessing(BGR, (1,))
    assert load(str(tmp_path / "net.caffemodel"), prototxt=str(tmp_path / "deploy.prototxt")).preprocessing is not None
    said = INPUT.replace("top:", "transform_param { mean_value: 9 } top:", 1)
    (tmp_path / "deploy.prototxt").write_text(said + CONV)
    found = load(str(tmp_path / "net.caffemodel"), prototxt=str(tmp_path / "deploy.prototxt")).preprocessing
    assert found == Preprocessing(BGR, (9,))


def test_the_fork_keeps_it_at_the_first_reader() -> None:
    fork = (
        'input: "data" layer { name: "conv" type: "Convolution" bottom: "data" top: "y" transform_param { scale: 3 } }'
    )

    assert stated(net_of(fork), "data") == Preprocessing(BGR, (), 3)
    assert stated(net_of(fork), "y") is None


def test_windows_have_a_scale_of_their_own() -> None:
    transform = "window_data_param { scale: 2 } transform_param { scale: 3 mean_value: 4 }"
    text = f'layer {{ type: "WindowData" top: "d" {transform} }}'
    net = net_of(text)
    assert stated(net, "d") == Preprocessing(BGR, (4,), 2)


def mean_image(path: Path, values: list[float]) -> None:
    image = np.repeat(np.array(values, np.float32), 20).reshape(3, 4, 5) + np.linspace(-1, 1, 20).reshape(4, 5)
    blob = caffe_pb2.BlobProto(num=1, channels=3, height=4, width=5, data=image.ravel().tolist())
    path.write_bytes(blob.SerializeToString())
    np.save(path.with_suffix(".npy"), image.astype(np.float32)[None])


def test_of_mean_images_the_channels_means_count(tmp_path: Path) -> None:
    mean_image(tmp_path / "m.binaryproto", [7, 8, 9])
    for file in ("m.binaryproto", "m.npy"):
        np.testing.assert_allclose(mean_of_file(file, str(tmp_path / "net.prototxt")), [7, 8, 9], rtol=1e-6)
    text = 'layer { name: "d" type: "Data" top: "data" transform_param { mean_file: "m.binaryproto" } }'
    notes: list[str] = []
    found = stated(net_of(text), "data", str(tmp_path / "net.prototxt"), notes=notes)
    assert found is not None
    assert [round(value, 4) for value in found.mean] == [7, 8, 9]
    assert notes == ["layer 'd': of 'm.binaryproto' the mean of each channel is stored"]


def test_a_mean_that_is_not_there_is_not_known(tmp_path: Path) -> None:
    notes: list[str] = []
    text = 'layer { name: "d" type: "Data" top: "data" transform_param { mean_file: "none.binaryproto" } }'
    assert stated(net_of(text), "data", notes=notes) is None
    assert "left aside" in notes[0]
    assert "give it with --mean" in notes[0]
    np.save(tmp_path / "two.npy", np.zeros((2, 3, 4), np.float32))
    with pytest.raises(
        DataError, match=r"two\.npy: expected a mean \(channels,\) or .* of 1 or 3 channels, found \(2, "
    ):
        mean_of_file(str(tmp_path / "two.npy"))


def test_flags_win_and_the_report_says_so(tmp_path: Path) -> None:
    flags = ImageFlags(RGB, (9,), size=(8, 11))
    done = convert(source(tmp_path), "safetensors", str(tmp_path / "n.safetensors"), Options(images=flags))

    module = caffe.load(done.path)
    assert module.preprocessing == Preprocessing(RGB, (9,), 0.5)
    assert module.preprocess(np.zeros((3, 4, 3), np.uint8)).shape == (1, 3, 8, 11)
    assert any(
        line == f"images: {module.preprocessing}, as the flags say; the net says {STORED}" for line in done.report.notes
    )


@pytest.mark.parametrize("target", ["safetensors", "caffemodel", "prototxt"])
def test_a_size_suits_the_weights(target: str, tmp_path: Path) -> None:
    """The file would be refused by `load`, but only later."""
    text = INPUT + CONV + 'layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "y"'
    path = str(tmp_path / "net.caffemodel")
    write_caffemodel(path, model_of(text + " inner_product_param { num_output: 2 } }"))
    with pytest.raises(
        ShapeError, match=r"--size 8,11 does not suit the weights, which suit the net's own size: layer 'ip' \(Inner"
    ):
        convert(path, target, str(tmp_path / "made"), Options(images=ImageFlags(size=(8, 11))))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(("size", "crop"), [((9, 9), 9), (None, 6)])
def test_data_layers_take_flags_too(size: tuple[int, int] | None, crop: int, tmp_path: Path) -> None:
    model = model_of(INPUT + CONV)
    path = str(tmp_path / "net.caffemodel")
    write_caffemodel(path, Model(net_of(DATA + CONV), model.blobs, BVLC, ""))
    flags = ImageFlags(RGB, (5, 6, 7), 2, size)
    made = convert(path, "safetensors", str(tmp_path / "n.safetensors"), Options(images=flags)).path

    net = read_model(made).net
    assert [layer.transform_param.crop_size for layer in net.layer[:2]] == [crop, crop]
    assert net.layer[0].transform_param.mirror
    assert stated(net, "data") == Preprocessing(RGB, (5, 6, 7), 2)
    write_text(tmp_path / "n.prototxt", net)
    with pytest.raises(
        FieldError, match=r"layer 'data' \(Data\) crops to a square, --size says 8,9; give a deploy net"
    ):
        convert(path, "torch", str(tmp_path / "n.pt"), Options(images=ImageFlags(size=(8, 9))))


def test_a_saved_name_of_an_input_gets_its_shape(tmp_path: Path) -> None:
    """The SRN fork saves names of inputs without shapes."""
    path = str(tmp_path / "net.caffemodel")
    net = net_of('input: "data"' + CONV)
    write_caffemodel(path, Model(net, model_of(INPUT + CONV).blobs, SRN_FORK, ""), SRN_FORK)
    flags = ImageFlags(mean=(4,), size=(8, 9))
    convert(path, "onnx", str(tmp_path / "n.onnx"), Options(images=flags, check=False))

    assert of_onnx(tmp_path / "n.onnx")["preprocessing.size"] == "8,9"
    assert of_onnx(tmp_path / "n.onnx")["preprocessing.mean"] == "4"


def test_nets_of_one_channel_take_grey_images(tmp_path: Path) -> None:
    text = (INPUT + CONV).replace("dim: 3", "dim: 1", 1)
    module = caffe.load(source(tmp_path, Preprocessing(GRAY, (), 1 / 256), text))

    assert module.preprocessing == Preprocessing(GRAY, (), 1 / 256)
    assert module.preprocess([np.zeros((3, 4, 3), np.uint8)] * 2).shape == (2, 1, 6, 7)
    with pytest.raises(FieldError, match=r"input 'data' has 1 channels, bgr images have 3; give --channels gray"):
        caffe.load(str(tmp_path / "stored.caffemodel"), preprocessing=Preprocessing())


def test_nets_without_images_have_no_use_for_it(tmp_path: Path) -> None:
    text = (INPUT + CONV).replace("dim: 3", "dim: 5", 1)
    options: dict[str, Any] = {"images": ImageFlags(mean=(1,))}
    with pytest.raises(MissingFeatureError, match=r"net\.caffemodel: expected an input for images .* leave these away"):
        convert(source(tmp_path, None, text), "torch", str(tmp_path / "n.pt"), Options(**options))
    assert preprocessing_of(net_of(text), {"data": (2, 5, 6, 7)}) is None
