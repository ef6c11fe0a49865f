"""CNN-RNN through the commands: data, training, scores by beam search, and the picture of the paths."""

import json

import cv2
import numpy as np
import pytest

from caffe_compat.net.build import load_net
from prototxt_gen.files import write
from prototxt_gen.options import GeneratorOptions
from tests.data.made_files import read_picture
from tests.prototxt_gen.generated import Options


@pytest.fixture(scope="module")
def label_paths(tmp_path_factory):
    """Both nets of a small CNN-RNN with first weights in one file, and an image."""
    folder = tmp_path_factory.mktemp("paths")
    options: Options = {"labels": 5, "backbone": "narrow", "width": 2, "input_size": 40, "step": "test"}
    write(GeneratorOptions(model="cnn_rnn", **options), str(folder))
    both = b""
    for name in ("custom_cnn_rnn_test.prototxt", "custom_cnn_rnn_path_test.prototxt"):
        load_net(str(folder / name), "TEST").save(str(folder / "part.caffemodel"))
        both += (folder / "part.caffemodel").read_bytes()  # messages one after the other are merged
    (folder / "w.caffemodel").write_bytes(both)
    cv2.imwrite(str(folder / "p.png"), np.full((40, 60, 3), 90, np.uint8))
    return folder


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_the_label_paths_of_a_cnn_rnn(label_paths, program):
    model = ("--prototxt", label_paths / "custom_cnn_rnn_test.prototxt", "--weights", label_paths / "w.caffemodel")
    (label_paths / "names.txt").write_text("ant\nbee\ncat\ndog\nelk\n")
    names = ("--class-names", label_paths / "names.txt")
    done = program("visualize", label_paths / "p.png", *model, "--out", label_paths / "new", "--beam", 3, *names)
    assert done.returncode == 0, done.stderr
    where, labels = done.stdout.removeprefix("wrote ").strip().split(": ")
    assert where == f"{label_paths}/new/p_path.png"
    assert labels == "no label" or set(labels.split(", ")) <= {"ant", "bee", "cat", "dog", "elk"}
    assert read_picture(where).shape[1] > 500


def test_the_second_net_of_a_cnn_rnn_must_lie_beside_the_first(label_paths, program):
    (label_paths / "alone").mkdir()
    alone = label_paths / "alone" / "custom_cnn_rnn_test.prototxt"
    alone.write_text((label_paths / alone.name).read_text())
    done = program("visualize", label_paths / "p.png", "--prototxt", alone, "--weights", label_paths / "w.caffemodel")
    expected = (
        f"caffe-compat visualize: {label_paths}/alone/custom_cnn_rnn_path_test.prototxt: expected the net of label "
        f"paths beside {alone}, found no such file; generate both with --model cnn_rnn\n"
    )
    assert (done.returncode, done.stderr) == (1, expected)


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
def test_predict_saves_scores_of_labels(label_paths, program):
    model = ("--prototxt", label_paths / "custom_cnn_rnn_test.prototxt", "--weights", label_paths / "w.caffemodel")
    (label_paths / "list.txt").write_text("p.png\np.png\n")
    out = label_paths / "scores.txt"
    done = program("predict", f"{label_paths}/", label_paths / "list.txt", *model, "--out", out, "--beam", 2, "--quiet")
    assert (done.returncode, done.stdout) == (0, f"wrote 2 lines of 5 scores (label paths) to {out}\n"), done.stderr
    scores = np.loadtxt(out)
    assert np.isfinite(scores).all()
    assert np.array_equal(scores[0], scores[1])
    embedded = ("--out", out, "--blob", "image_embedding", "--quiet")
    done = program("predict", f"{label_paths}/", label_paths / "list.txt", *model, *embedded)
    assert done.stdout == f"wrote 2 lines of 2 scores (image_embedding) to {out}\n"


@pytest.mark.slow
def test_from_prepared_data_to_figures(tmp_path, program, monkeypatch):
    monkeypatch.chdir(tmp_path)
    numbers = ("--train", 12, "--val", 2, "--test", 5)
    done = program("prepare", "scenes", "--out", "data", *numbers, "--label-paths")
    assert done.stdout.endswith("label paths in data\n"), done.stderr
    small = ("--backbone", "narrow", "--width", 2, "--input-size", 96, "--augmentation", "none", "--batch-size", 4)
    few = ("--iter-size", 1, "--max-iter", 3, "--solver-mode", "CPU", "--out", "models")
    assert program("generate", "--model", "cnn_rnn", "--data", "data", *small, *few).returncode == 0
    assert program("train-stages", "--models", "models").returncode == 0
    trained = ("models/custom_cnn_rnn_test.prototxt", "models/step_2_cnn_rnn_iter_3.caffemodel", "scores.txt")
    done = program("predict", "data/images/", "data/test_imglist.txt", *trained)
    assert "wrote 5 lines of 20 scores (label paths)" in done.stdout, done.stderr
    files = ("--labels", "data/test_labels.txt", "--predictions", "scores.txt", "--json", "figures.json")
    done = program("evaluate", "--dataset", "coco", *files, "--class-names", "data/classes.txt")
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads((tmp_path / "figures.json").read_text())["mAP"] < 1
