"""Datasets from raw downloads to evaluated scores, by the commands that a user types."""

import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.srn.datasets.synthetic_coco import write_coco
from tests.srn.datasets.synthetic_images import write_image
from tests.srn.datasets.synthetic_nus_wide import write_nus_wide
from tests.srn.datasets.synthetic_wider_attribute import write_wider_attribute

ROOT = Path(__file__).parents[3]


@pytest.fixture
def prepare(program):
    """Runs the command; returns its exit status, output and errors."""
    return partial(program, "prepare")


def test_scenes(tmp_path, prepare):
    numbers = ("--train", 4, "--val", 2, "--test", 3)
    done = prepare("scenes", "--out", tmp_path / "new" / "scenes", "--control", "--seed", 1, *numbers)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"wrote 4 train, 2 val, 3 test scenes to {tmp_path / 'new' / 'scenes'}\n"
    assert (tmp_path / "new" / "scenes" / "val_label_lmdb" / "data.mdb").exists()


def test_errors_are_one_line(tmp_path, prepare):
    done = prepare("scenes", "--out", tmp_path)

    assert (done.returncode, done.stderr) == (
        1, f"caffe-compat prepare: {tmp_path}: exists already; remove it or name another place\n",
    )  # fmt: skip


@pytest.mark.parametrize(("option", "least"), [("--workers", 1), ("--resize", 0)])
def test_numbers_that_cannot_be(tmp_path, prepare, option, least):
    done = prepare("own", "--train", tmp_path, "--out", tmp_path / "out", option, least - 1)

    assert done.returncode == 2
    assert done.stderr.endswith(f"argument {option}: expected a whole number from {least} on, found '{least - 1}'\n")


def test_own_data_of_every_format(tmp_path, prepare):
    for name in ("a.jpg", "b.png", "t.jpg"):
        write_image(tmp_path / "raw" / name, seed=len(name))
    (tmp_path / "train.csv").write_text("image,labels\na.jpg,dog\nb.png,cat;dog\nc.jpg,cat\n")
    (tmp_path / "val.jsonl").write_text('{"image": "b.png", "labels": {"cat": 1, "dog": -1}}\n')
    (tmp_path / "test.txt").write_text("t.jpg\n")
    (tmp_path / "test_labels.txt").write_text("1 1\n")
    (tmp_path / "classes.txt").write_text("dog\ncat\n")
    splits = ("--train", tmp_path / "train.csv", "--val", tmp_path / "val.jsonl", "--test", tmp_path / "test.txt")
    given = (*splits, "--test-labels", tmp_path / "test_labels.txt", "--classes", tmp_path / "classes.txt")
    out = tmp_path / "out"

    pictures = ("--write", "folder", "--folder-resize", 32, "--workers", 1)
    done = prepare("own", *given, "--root", tmp_path / "raw", "--out", out, *pictures)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "note: train: cells of labels: separated by ; or |",
        "note: val: an entry per image with its labels",
        "note: 1 images are in train and in val: 'b.png'",
        "note: -1 means absent (1 cells)",
        "labels: dog, cat (2)",
        "train: 2 images, 1.50 of 2 labels each",
        "  left out: 1 missing (why: train_report.tsv)",
        "val: 1 images, 1.00 of 2 labels each",
        "  labels that no image has: dog",
        "test: 1 images, 2.00 of 2 labels each",
        f"all in {out}",
    ]
    assert (out / "train_imglist.txt").read_text() == "a.jpg 1\nb.png 2\n"
    assert (out / "val_labels.txt").read_text() == "0 1\n"
    assert sorted(path.name for path in (out / "images").iterdir()) == ["a.jpg", "b.png", "t.jpg"]
    assert not (out / "train_image_lmdb").exists()


@pytest.mark.slow
def test_an_interrupted_run_says_how_to_go_on(tmp_path):
    first = tmp_path / "raw" / "cat" / "first.jpg"
    write_image(first, 1)
    for number in range(3000):  # seconds of work: a busy machine may look for the folder late
        (first.parent / f"{number}.jpg").hardlink_to(first)
    program = [sys.executable, ROOT / "tools" / "prepare_dataset.py", "own", "--workers", "2"]
    command = [*program, "--train", tmp_path / "raw", "--out", tmp_path / "out"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "out.part" / "settings.json").exists():  # its processes take seconds to start
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)

    _, errors = running.communicate(timeout=60)
    assert (running.returncode, errors) == (130, "prepare_dataset.py: stopped; the same command goes on from here\n")
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert (tmp_path / "out" / "manifest.sha256").exists()


def raw_coco(root):
    annotations, images = write_coco(root)
    return ("coco", "--annotations", annotations, "--images", images), images


def raw_nus_wide(root):
    write_nus_wide(root)
    (root / "accessible.txt").write_text("1\n3\n")
    given = ("--root", root, "--images", root / "Flickr", "--accessible-test", root / "accessible.txt")
    return ("nus_wide", *given), root / "Flickr"


def raw_wider_attribute(root):
    annotations, images = write_wider_attribute(root)
    return ("wider_att", "--annotations", annotations, "--images", images), root.parent / "data" / "images"


#: Dataset: what writes its raw copy, its labels, the model to train, how many images are trained and tested on.
JOURNEYS = {
    "coco": (raw_coco, 5, "resnet101_srn", 8, 4),
    "nus_wide": (raw_nus_wide, 4, "resnet101", 3, 2),
    "wider_att": (raw_wider_attribute, 5, "resnet101", 3, 3),
}


SMALL = ("--depth", 26, "--width", 2, "--head-width", 3, "--input-size", 96, "--batch-size", 2, "--iter-size", 1,
         "--solver-mode", "CPU")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("dataset", JOURNEYS)
def test_from_raw_downloads_to_figures(tmp_path, dataset, prepare, program, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    write_raw, labels, model, train_images, test_images = JOURNEYS[dataset]
    given, images = write_raw(tmp_path / "raw")
    done = prepare(*given, "--out", tmp_path / "data", "--resize", 104, "--test-resize", 96, "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert f"\ntrain: {train_images} images, " in done.stdout
    assert f"test: {test_images} images, " in done.stdout

    counts = ("--labels", labels, "--train-images", train_images, "--test-images", test_images, "--max-iter", 2)
    options = ("--model", model, *counts, *SMALL, "--data", "data", "--out", "models")
    done = program("generate", *options)
    assert done.returncode == 0, done.stderr
    done = program("train-stages", "--models", "models")
    assert done.returncode == 0, done.stderr
    last = sorted((tmp_path / "models").glob("*_iter_2.caffemodel"))[-1]
    deploy = tmp_path / "models" / f"custom_{model}_test.prototxt"

    done = program(
        "predict", f"{images}/", tmp_path / "data" / "test_imglist.txt", deploy, last, tmp_path / "scores.txt"
    )
    assert done.returncode == 0, done.stderr
    assert np.loadtxt(tmp_path / "scores.txt").shape == (test_images, labels)
    files = ("--labels", tmp_path / "data" / "test_labels.txt", "--predictions", tmp_path / "scores.txt")
    names = ("--class-names", tmp_path / "data" / "classes.txt", "--json", tmp_path / "figures.json")
    done = program("evaluate", "--dataset", dataset, *files, *names)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert 0 < figures["mAP"] <= 1
    assert len(figures["ap"]) == labels


def test_quiet_leaves_the_summary_and_takes_progress(tmp_path, prepare, slow_work):
    write_image(tmp_path / "a.jpg", seed=2)
    (tmp_path / "train.csv").write_text("image,labels\na.jpg,dog\n")
    loud, quiet = (
        prepare("own", "--train", tmp_path / "train.csv", "--workers", 1, "--out", tmp_path / name, *flags)
        for name, flags in (("loud", ()), ("quiet", ("--quiet",)))
    )
    assert "train: 1 of 1 images (100 %), about" in loud.stderr
    assert "checksums: 1 of" in loud.stderr
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert quiet.stdout == loud.stdout.replace("loud", "quiet")
