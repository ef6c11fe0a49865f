"""The released pipeline, whole: recorded images and scores."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
GOLDENS = ROOT / "tests" / "goldens" / "srn_fork"
LIKE = GOLDENS / "released_like"


@pytest.fixture
def predict(program):
    """Runs the command; returns its exit status, output and errors."""
    return partial(program, "predict")


def test_recorded_scores_in_batches_that_do_not_divide(tmp_path, predict):
    images, net, weights = GOLDENS / "predict", LIKE / "net.prototxt", LIKE / "weights.caffemodel"
    files = (f"{images}/images/", images / "list.txt", net, weights, tmp_path / "scores.txt")
    done = predict(*files, "--blob", "prob", "--batch_size", 2)

    assert done.returncode == 0, done.stderr
    assert "batch: 3 / 3, time: " in done.stdout
    assert done.stdout.endswith(f"wrote 5 lines of 14 scores (prob) to {tmp_path / 'scores.txt'}\n")
    expected = np.loadtxt(GOLDENS / "predict" / "predictions.txt")
    # Sums in another order through 101 layers: 1e-4 of the largest score.
    np.testing.assert_allclose(np.loadtxt(tmp_path / "scores.txt"), expected, rtol=0, atol=1e-4 * abs(expected).max())


@pytest.mark.parametrize(("flag", "shown"), [("--num_test", "--num_test"), ("--batch_size", "--batch-size")])
@pytest.mark.parametrize("value", ["0", "-2", "x"])
def test_counts_are_of_one_image_at_least(flag, shown, value, tmp_path, predict):
    done = predict("x/", tmp_path / "none.txt", "n", "w", tmp_path / "out", flag, value)

    assert done.returncode == 2
    assert f"argument {shown}: expected a number of images from 1 on, found '{value}'" in done.stderr


def test_errors_are_one_line(tmp_path, predict):
    done = predict("x/", tmp_path / "none.txt", LIKE / "net.prototxt", LIKE / "weights.caffemodel", tmp_path / "out")

    assert done.returncode == 1
    assert done.stderr.startswith(f"caffe-compat predict: {tmp_path / 'none.txt'}: cannot read the image list: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_files_may_be_flags(tmp_path, predict):
    net, weights = LIKE / "net.prototxt", LIKE / "weights.caffemodel"
    images = GOLDENS / "predict"
    flags = ("--prototxt", net, "--weights", weights, "--out", tmp_path / "new" / "scores.txt", "--quiet")
    done = predict(f"{images}/images/", images / "list.txt", *flags, "--blob", "prob", "--num-test", 2)

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"wrote 2 lines of 14 scores (prob) to {tmp_path / 'new' / 'scores.txt'}\n"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("n", "w"), "the following arguments are required: OUT, or --out\n"),
        (("n", "w", "o", "x"), "unexpected argument 'x'\n"),
    ],
)
def test_three_files_are_needed(files, message, predict):
    assert predict("x/", "list", *files) == (2, "", f"caffe-compat predict: {message}")


def test_a_stored_mean_counts_and_a_flag_in_its_place_is_named(tmp_path, predict, caplog):
    net, weights = LIKE / "net.prototxt", LIKE / "weights.caffemodel"
    images = GOLDENS / "predict"
    (tmp_path / "said.prototxt").write_text(
        net.read_text().replace("layer {", "layer { transform_param { mean_value: 30 }", 1)
    )
    scores = {}
    for name, prototxt, flags in (
        ("released", net, ()),
        ("stored", tmp_path / "said.prototxt", ()),
        ("flag", tmp_path / "said.prototxt", ("--mean", "104,117,123")),
    ):
        files = ("--prototxt", prototxt, "--weights", weights, "--out", tmp_path / f"{name}.npy", "--quiet")
        done = predict(f"{images}/images/", images / "list.txt", *files, "--num-test", 1, *flags)
        assert done.returncode == 0, done.stderr
        said = [record for record in caplog.messages if record.startswith("images: ")]
        assert [line.partition(";")[0] for line in said] == [
            "images: BGR pixels from 0 to 255 minus 104, 117, 123, as the flags say"
        ] * bool(flags)
        scores[name] = np.load(tmp_path / f"{name}.npy")
    assert np.array_equal(scores["released"], scores["flag"])
    assert not np.array_equal(scores["released"], scores["stored"])
