from functools import partial

import cv2
import numpy as np
import pytest

from caffe_compat.net.build import load_net
from prototxt_gen.files import write
from prototxt_gen.options import Options

MODEL = "custom_resnet101_srn_test.prototxt"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small released-style net with first weights, and an image."""
    folder = tmp_path_factory.mktemp("net")
    options = {"labels": 14, "layout": "released", "depth": 26, "width": 1, "input_size": 64, "step": "test"}
    write(Options(**options), str(folder))
    load_net(str(folder / MODEL), "TEST").save(str(folder / "w.caffemodel"))
    cv2.imwrite(str(folder / "p.png"), np.full((40, 60, 3), 90, np.uint8))
    return folder


@pytest.fixture
def visualize(folder, program):
    """Runs the command on the image; returns its exit status, output and errors."""
    model = ("--model", folder / MODEL, "--weights", folder / "w.caffemodel")
    return partial(program, "visualize", folder / "p.png", *model)


# Weights that were never trained overflow.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_a_picture_of_a_released_net(folder, visualize):
    done = visualize("--out", folder / "new", "--labels", 3, 0, 7)

    assert (done.returncode, done.stdout) == (0, f"wrote {folder}/new/p_attention.png\n"), done.stderr
    assert cv2.imread(str(folder / "new" / "p_attention.png")).shape[1] > 700


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--labels", 14), "caffe-compat visualize: --labels: expected numbers from 0 to 13, found 14\n"),
        (("--class-names", "{}/n.txt"), "caffe-compat visualize: {}/n.txt: expected 14 class names, one a line, "
                                        "as the net has maps, found 1\n"),
    ],
)  # fmt: skip
def test_errors_are_one_line(folder, visualize, arguments, message):
    (folder / "n.txt").write_text("only\n")
    done = visualize("--out", folder, *(str(argument).format(folder) for argument in arguments))

    assert (done.returncode, done.stderr) == (1, message.format(folder))
