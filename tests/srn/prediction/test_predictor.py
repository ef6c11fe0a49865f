import cv2
import numpy as np
import pytest

import caffe_compat
from caffe_compat.convert.conversion import convert
from caffe_compat.convert.options import Options
from caffe_compat.data.preprocessing import ImageFlags, Preprocessing
from caffe_compat.errors import GraphError, MissingFeatureError, ShapeError
from caffe_compat.net.build import load_net
from caffe_compat.proto.read import read_weights
from caffe_compat.srn.prediction.predictor import Predictor
from caffe_compat.srn.prediction.released_input import RELEASED, net_input

NET = """
input: "data" input_shape { dim: 1 dim: 3 dim: 6 dim: 8 }
layer { name: "fc" type: "InnerProduct" bottom: "data" top: "zzz"
        inner_product_param { num_output: 5 weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "first" type: "Power" bottom: "zzz" top: "prob" power_param { scale: 2 shift: 1 } }
layer { name: "second" type: "Power" bottom: "zzz" top: "spare" power_param { scale: 3 } }
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A net, its weights and seven images."""
    folder = tmp_path_factory.mktemp("predict")
    (folder / "net.prototxt").write_text(NET)
    net = load_net(str(folder / "net.prototxt"), "TEST")
    net.save(str(folder / "w.caffemodel"))
    random = np.random.default_rng(0)
    for number in range(7):
        cv2.imwrite(str(folder / f"{number}.png"), random.integers(0, 256, (9, 7 + number, 3), dtype=np.uint8))
    return folder


def predictor(files, batch_size=3, **options):
    return Predictor(str(files / "net.prototxt"), str(files / "w.caffemodel"), batch_size, **options)


def paths(files):
    return [str(files / f"{number}.png") for number in range(7)]


def test_scores_are_the_first_output_in_the_order_of_the_images(files):
    layer = next(layer for layer in read_weights(str(files / "w.caffemodel")).layers if layer.name == "fc")
    weights, bias = (np.array(blob, np.float64) for blob in layer.blobs)
    expected = [1 + 2 * (weights @ net_input(path, 6, 8).ravel() + bias) for path in paths(files)]

    batches = []
    scores = predictor(files).predict(paths(files), lambda done, of: batches.append((done, of)))

    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-4)
    assert batches == [(1, 3), (2, 3), (3, 3)]


def test_any_blob_can_be_asked_for(files):
    first, hidden = predictor(files), predictor(files, blob="zzz", batch_size=7)

    assert (first.blob, hidden.blob) == ("prob", "zzz")
    np.testing.assert_allclose(first.predict(paths(files)), 1 + 2 * hidden.predict(paths(files)), rtol=1e-4, atol=1e-4)


def test_blobs_inputs_and_devices_that_are_not_there_are_errors(files, tmp_path):
    with pytest.raises(GraphError, match=r"^.*net.prototxt: no blob 'y'; the net's outputs are: prob, spare"):
        predictor(files, blob="y")
    with pytest.raises(MissingFeatureError, match=r"^--gpus 99: torch finds \d+ CUDA devices here; leave --gpus out"):
        predictor(files, gpus=[99])
    (tmp_path / "train.prototxt").write_text(
        'layer { name: "data" type: "DummyData" top: "data" dummy_data_param { shape { dim: 2 dim: 3 } } }'
    )
    with pytest.raises(GraphError, match=r"^.*train.prototxt: expected a net with one input .* found inputs: none"):
        Predictor(str(tmp_path / "train.prototxt"), str(files / "w.caffemodel"), 2)


@pytest.mark.parametrize("shape", ["dim: 1 dim: 1 dim: 6 dim: 8", "dim: 1 dim: 144"])
def test_inputs_that_take_no_colour_images_are_errors(shape, files, tmp_path):
    (tmp_path / "grey.prototxt").write_text(NET.replace("dim: 1 dim: 3 dim: 6 dim: 8", shape).replace('"fc"', '"f"'))
    with pytest.raises(
        ShapeError, match=r"grey.prototxt: expected an input of images \(N, 3, height, width\), found 'da"
    ):
        Predictor(str(tmp_path / "grey.prototxt"), str(files / "w.caffemodel"), 2)


def test_batches_of_nothing_and_devices_below_0_are_errors(files):
    with pytest.raises(ShapeError, match=r"^expected batches of at least 1 image, got 0$"):
        predictor(files, batch_size=0)
    with pytest.raises(MissingFeatureError, match=r"^--gpus -1: torch finds \d+ CUDA devices here"):
        predictor(files, gpus=[-1])


def test_weights_of_another_net_are_an_error(files, tmp_path):
    (tmp_path / "other.prototxt").write_text(NET.replace('"fc"', '"ip"'))
    with pytest.raises(
        GraphError,
        match=r"w\.caffemodel: expected weights of layers such as 'ip' of .*, found none of its layers; give",
    ):
        Predictor(str(tmp_path / "other.prototxt"), str(files / "w.caffemodel"), 2)


def test_a_layer_without_weights_is_refused_or_told(files, tmp_path, caplog):
    more = 'layer { name: "more" type: "Bias" bottom: "zzz" top: "more" }'
    (tmp_path / "more.prototxt").write_text(NET + more)
    paths = (str(tmp_path / "more.prototxt"), str(files / "w.caffemodel"), 2)
    with pytest.raises(
        GraphError,
        match=r"^.*w\.caffemodel: expected weights of all 2 learnt layers of .*more.prototxt, found none of more; give",
    ):
        Predictor(*paths)
    Predictor(*paths, allow_unfilled=True)
    assert "more.prototxt: more" in caplog.text


SAYS = "transform_param { mean_value: 10 mean_value: 20 mean_value: 30 scale: 0.5 }"


def test_the_prototxt_says_what_the_net_expects_then_the_weights_then_the_released_code(files, tmp_path):
    said = NET.replace('name: "fc"', f'name: "fc" {SAYS}', 1)
    (tmp_path / "said.prototxt").write_text(said)
    caffe_compat.Net(str(tmp_path / "said.prototxt"), caffe_compat.TEST, weights=str(files / "w.caffemodel")).save(
        str(tmp_path / "said.caffemodel")
    )
    known = Preprocessing("bgr", (10, 20, 30), 0.5)
    plain, weights = str(files / "net.prototxt"), str(files / "w.caffemodel")

    assert Predictor(str(tmp_path / "said.prototxt"), weights, 2).preprocessing == known
    assert Predictor(plain, str(tmp_path / "said.caffemodel"), 2).preprocessing == known
    assert Predictor(plain, weights, 2).preprocessing == RELEASED
    flags = ImageFlags(channels="rgb", size=(6, 8))
    assert Predictor(plain, weights, 2, images=flags).preprocessing == Preprocessing("rgb")


def test_flags_win_and_a_line_says_so(files, tmp_path, caplog):
    (tmp_path / "said.prototxt").write_text(NET.replace('name: "fc"', f'name: "fc" {SAYS}', 1))
    made = Predictor(str(tmp_path / "said.prototxt"), str(files / "w.caffemodel"), 7, images=ImageFlags(mean=(0.0,)))
    expected = Preprocessing("bgr", (0,), 0.5)

    assert made.preprocessing == expected
    assert [record.message for record in caplog.records if record.message.startswith("images: ")] == [
        f"images: {expected}, as the flags say; {tmp_path}/said.prototxt says BGR pixels from 0 to 255 minus 10, 20, "
        "30, times 0.5"
    ]


@pytest.mark.parametrize("suffix", ["safetensors", "pt"])
def test_files_that_describe_their_net_need_no_prototxt(suffix, files, tmp_path):
    path = str(tmp_path / f"net.{suffix}")
    options = Options(prototxt=str(files / "net.prototxt"), images=ImageFlags(mean=(1.0, 2.0, 3.0)))
    convert(str(files / "w.caffemodel"), {"pt": "torch"}.get(suffix, suffix), path, options)
    alone, both = Predictor(None, path, 3), Predictor(str(files / "net.prototxt"), path, 3)

    assert alone.preprocessing == both.preprocessing == Preprocessing("bgr", (1, 2, 3))
    np.testing.assert_allclose(alone.predict(paths(files)), both.predict(paths(files)), rtol=1e-4, atol=1e-4)
