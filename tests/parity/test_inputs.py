"""What a net is run on."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from caffe_compat.errors import DataError, FormatError, ShapeError
from caffe_compat.parity.inputs import given_inputs, random_inputs
from caffe_compat.srn.prediction.released_input import net_input
from tests.parity.nets import net_of

TWO = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 6 dim: 5 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "y" inner_product_param { num_output: 4 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "y" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "y" bottom: "label" top: "accuracy" }
"""
ONE = TWO[: TWO.index('layer { name: "label"')]


def test_random_inputs_are_seeded_and_like_images_less_their_mean() -> None:
    first, again, other = (random_inputs(net_of(ONE), seed)["data"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.dtype == np.float32
    assert 30 < first.std() < 70


def test_labels_are_what_their_loss_can_read_also_behind_a_split() -> None:
    label = random_inputs(net_of(TWO))["label"]
    assert set(label.tolist()) <= {0, 1, 2, 3}
    sigmoid = TWO.replace("SoftmaxWithLoss", "SigmoidCrossEntropyLoss").replace(
        'dim: 2 } } }\nlayer { name: "ip"', 'dim: 2 dim: 4 } } }\nlayer { name: "ip"'
    )
    sigmoid = sigmoid[: sigmoid.index('layer { name: "accuracy"')]
    assert set(random_inputs(net_of(sigmoid))["label"].ravel().tolist()) <= {0, 1}


def test_words_of_an_embedding_are_within_its_table() -> None:
    text = """
    layer { name: "words" type: "Input" top: "words" input_param { shape { dim: 40 } } }
    layer { name: "embed" type: "Embed" bottom: "words" top: "v" embed_param { num_output: 3 input_dim: 7 } }
    """
    words = random_inputs(net_of(text))["words"]
    assert set(words.tolist()) <= set(range(7))
    assert len(set(words.tolist())) > 3


def test_an_array_is_taken_as_it_is_and_gets_a_batch_axis(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=(3, 6, 5))
    np.save(tmp_path / "a.npy", values)
    found = given_inputs(net_of(TWO), [f"data={tmp_path}/a.npy"])
    assert found["data"].shape == (1, 3, 6, 5)
    np.testing.assert_allclose(found["data"][0], values, rtol=1e-6)


def test_a_picture_is_prepared_as_the_released_code_does(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "p.png"), np.random.default_rng(1).integers(0, 255, (9, 11, 3), np.uint8))
    found = given_inputs(net_of(ONE), [f"{tmp_path}/p.png"])
    assert found["data"].shape == (2, 3, 6, 5)
    np.testing.assert_allclose(found["data"][1], net_input(f"{tmp_path}/p.png", 6, 5), rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("x.npy", DataError, r"^--input x\.npy: expected BLOB=FILE \(the net's inputs are data, label\), got no '='$"),
        (
            "dat=x.npy",
            DataError,
            r"^--input dat=x\.npy: the net has no input 'dat'; its inputs are data, label; did you mean 'data'\?$",
        ),
        ("data=missing.npy", FormatError, r"^missing\.npy: not a whole NumPy array \(.*No such file.*\); numpy\.save"),
        (
            "label=x.png",
            ShapeError,
            r"^x\.png: expected an input of \(N, 3, height, width\) for a picture, the net has",
        ),
    ],
)
def test_what_cannot_be_an_input_is_refused(given: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        given_inputs(net_of(TWO), [given])
