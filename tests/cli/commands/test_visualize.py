import json
from functools import partial
from unittest.mock import Mock

import cv2
import numpy as np
import pytest

from caffe_compat.cli.commands import visualize as command
from caffe_compat.net.build import load_net
from caffe_compat.srn.prediction.attention_figure import draw_attention
from prototxt_gen.files import write
from prototxt_gen.options import GeneratorOptions
from tests.data.made_files import read_picture
from tests.prototxt_gen.generated import Options

MODEL = "custom_resnet101_srn_test.prototxt"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small released-style net with first weights, and an image."""
    folder = tmp_path_factory.mktemp("net")
    options: Options = {"labels": 14, "layout": "released", "depth": 26, "width": 1, "input_size": 64, "step": "test"}
    write(GeneratorOptions(**options), str(folder))
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
    assert read_picture(folder / "new" / "p_attention.png").shape[1] > 700


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--labels", 14), "caffe-compat visualize: --labels: expected names of labels or numbers from 0 to 13, found "
                           "'14'; did you mean '4'?\n"),
        (("--class-names", "{}/n.txt"), "caffe-compat visualize: {}/n.txt: expected 14 class names, one per line, "
                                        "as the net has maps, found 1\n"),
    ],
)  # fmt: skip
def test_errors_are_one_line(folder, visualize, arguments, message):
    (folder / "n.txt").write_text("only\n")
    done = visualize("--out", folder, *(str(argument).format(folder) for argument in arguments))

    assert (done.returncode, done.stderr) == (1, message.format(folder))


def test_a_prepared_folder_names_labels_and_tells_the_true_ones(folder, visualize, monkeypatch):
    names = [f"label {number}" for number in range(14)]
    (folder / "summary.json").write_text(json.dumps({"splits": {"test": {"label counts": dict.fromkeys(names, 1)}}}))
    (folder / "test_imglist.txt").write_text("p.png 2\n")
    (folder / "test_labels.txt").write_text(" ".join("1" if number in (5, 9) else "0" for number in range(14)) + "\n")
    drawing = Mock(side_effect=draw_attention)
    monkeypatch.setattr(command, "draw_attention", drawing)

    done = visualize("--out", folder / "new", "--data", folder, "--true", "label 3", "--top", 5)

    assert done.returncode == 0, done.stderr
    _, _, labels, shown, true, *_ = drawing.call_args.args
    assert true == {3, 5, 9}
    assert set(labels[:3]) == true
    assert len(labels) == 5
    assert list(shown) == names


def test_weights_of_part_of_the_net_are_refused_unless_allowed(folder, visualize):
    text = (folder / MODEL).read_text()
    (folder / "renamed.prototxt").write_text(text.replace('name: "att', 'name: "renamed'))
    flags = ("--model", folder / "renamed.prototxt", "--out", folder / "new")
    done = visualize(*flags)
    assert done.returncode == 1
    assert "learnt layers of" in done.stderr
    assert "--allow-unfilled" in done.stderr
    assert visualize(*flags, "--allow-unfilled").returncode == 0


# Weights that were never trained overflow.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_quiet_takes_progress(folder, visualize, slow_work):
    loud, quiet = visualize("--out", folder / "new"), visualize("--out", folder / "new", "--quiet")
    assert "drawing: 1 of 1 images" in loud.stderr
    assert "drawing" not in quiet.stderr
    assert quiet.stdout == loud.stdout == f"wrote {folder}/new/p_attention.png\n"
