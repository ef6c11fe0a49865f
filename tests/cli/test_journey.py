"""From photos to figures by the commands of docs/datasets.md, as they stand there, on a net that is small enough."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.cli.journey_photos import LABELS, write_photos

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"<!-- not run: journey (?P<step>\w+),[^\n]*\n```sh\n(?P<commands>.*?)```", re.DOTALL)
#: What makes the documented nets small, and their training short.
SMALL = "--depth 26 --width 4 --head-width 8 --head-norm bn --input-size 96 --max-iter 6 --batch-size 4 --iter-size 1"
DONE = re.compile(r"done, weights in (\S+), log in")
IMAGENET = "--weights ResNet-101-model.caffemodel"


def documented():
    """The commands of each step, by the step's name."""
    text = (ROOT / "docs" / "datasets.md").read_text()
    return {
        match["step"]: match["commands"].replace("\\\n", " ").strip().splitlines() for match in BLOCK.finditer(text)
    }


class Journey:
    """A folder in which a user works, and what the documentation says to type there."""

    def __init__(self, folder):
        self.folder, self.commands, self.weights = folder, documented(), {}

    def start(self, command):
        """What it prints goes to files: nobody reads while a command is waited for."""
        program, *arguments = shlex.split(command)
        assert program == "caffe-compat"
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        with (self.folder / "stdout").open("w") as output, (self.folder / "stderr").open("w") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", "caffe_compat", *arguments],
                cwd=self.folder, env=environment, stdout=output, stderr=errors,
            )  # fmt: skip

    def type(self, command):
        status = self.start(command).wait(timeout=600)
        output, errors = ((self.folder / name).read_text() for name in ("stdout", "stderr"))
        assert status == 0, f"{command}\n{output}\n{errors[-3000:]}"
        return output

    def with_weights(self, command):
        """The command with the files that training wrote: their iterations are not those of the documentation."""
        given = re.search(r"--weights (\S+)_iter_\d+\.caffemodel", command)
        assert given, f"{command} names no snapshot"
        return command.replace(given[0], f"--weights {self.weights[given[1]]}")

    def train(self, command):
        for path in DONE.findall(self.type(command.replace(IMAGENET, ""))):
            self.weights[path.rpartition("_iter_")[0]] = path


def test_every_step_is_documented():
    assert list(documented()) == ["prepare", "generate", "train", "predict", "evaluate", "visualize"]


@pytest.mark.slow
def test_from_photos_to_figures(tmp_path):
    write_photos(tmp_path / "photos")
    journey = Journey(tmp_path)
    (prepare,) = journey.commands["prepare"]
    printed = journey.type(f"{prepare} --input-size 96 --workers 1")
    assert "train: 39 images, " in printed
    assert (tmp_path / "data" / "mine" / "classes.txt").read_text().split() == LABELS

    for command in journey.commands["generate"]:
        printed = journey.type(f"{command} {SMALL} --solver-mode CPU")
        assert "wrote models/" in printed
    baseline, srn = journey.commands["train"]
    journey.train(baseline)
    interrupt(journey, srn.replace(IMAGENET, ""))
    journey.train(srn)
    assert len(journey.weights) == 5
    for weights in journey.weights:
        report = (tmp_path / f"{weights}_watch" / "report.html").read_text()
        assert "loss" in report

    for command in journey.commands["predict"]:
        journey.type(journey.with_weights(command))
    assert np.loadtxt(tmp_path / "out" / "srn.txt").shape == (12, len(LABELS))
    (evaluate,) = journey.commands["evaluate"]
    printed = journey.type(evaluate)
    assert "baseline" in printed
    assert "SRN" in printed
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert "mAP" in json.dumps(figures)
    for file in ("figures.tex", "gain.png"):
        assert (tmp_path / "out" / file).stat().st_size > 0
    (visualize,) = journey.commands["visualize"]
    journey.type(journey.with_weights(visualize))
    assert [path.suffix for path in (tmp_path / "out" / "maps").iterdir()] == [".png"]


def interrupt(journey, command):
    """Ctrl-C while the first step of the command trains; the same command then continues."""
    log = journey.folder / "models" / "srn" / "step_1_resnet101.log"
    running = journey.start(command)
    while not (log.exists() and "Iteration 0" in log.read_text()):
        assert running.poll() is None, (journey.folder / "stderr").read_text()
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=120) != 0
    assert "Traceback" not in (journey.folder / "stderr").read_text()
