"""The demo's stages in order."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from caffe_compat.experiments.demo.findings import verdict
from caffe_compat.experiments.demo.mechanism import mechanism_sentence, run_mechanism
from caffe_compat.experiments.demo.outcomes import MeasuredRun, judge
from caffe_compat.experiments.demo.recipe import SRN, TINY, Recipe
from caffe_compat.experiments.demo.report import Findings, write_report
from caffe_compat.experiments.demo.results import write_results
from caffe_compat.experiments.models import write_models
from caffe_compat.experiments.runs import Run, Say, train
from caffe_compat.net.build import load_net
from caffe_compat.parity.comparison import Comparison
from caffe_compat.parity.opencv import compare_with_opencv
from caffe_compat.srn.datasets.layout import image_path, read_image_list
from caffe_compat.srn.datasets.scene_rules import SceneRules
from caffe_compat.srn.datasets.scenes import write_scenes
from caffe_compat.srn.prediction.released_input import net_input
from caffe_compat.terminal.progress import follow

#: The two datasets: with the position rule, and the control without.
KINDS = {"scenes": SceneRules(), "control": SceneRules(position_rule=False)}
PARITY_IMAGES = 2


@dataclass(frozen=True)
class DemoRequest:
    """What tools/demo.py is asked for."""

    out: Path
    recipe: Recipe
    seeds: int = 1
    control: bool = False


def run_demo(request: DemoRequest, say: Say) -> None:
    """Data, nets, training, evaluation, parity, report; each says what it does. An interrupted demo goes on."""
    started = time.monotonic()
    work = _work_folder(request)
    runs = [
        Run(name, arm, work / f"seed_{seed}" / kind, seed)
        for seed in range(request.seeds)
        for kind in list(KINDS)[: 1 + request.control]
        for name, arm in request.recipe.arms.items()
    ]
    with _stage("data and nets", say):
        _prepare(runs, request.recipe, say)
    with _stage("training", say):
        train(runs, say)
    with _stage("mechanism", say):
        mechanism = run_mechanism(work / "mechanism", request.recipe == TINY, say)
        say(mechanism_sentence(mechanism))
    with _stage("evaluation", say):
        outcomes = [judge(run) for run in follow(runs, "evaluating", "models", seconds_between_lines=10)]
        for outcome in outcomes:
            say(f"{outcome.run}: mAP {100 * outcome.prediction.figures['mAP']:.1f}")
    with _stage("comparison with OpenCV", say):
        parity = _compare(next(run for run in runs if run.name == SRN))
        say(f"{len(parity.differences)} layers, largest relative error {parity.max_error:.1e}")
    with _stage("report", say):
        scenes, control = (_of_kind(outcomes, kind) for kind in KINDS)
        seconds = time.monotonic() - started
        write_report(request.out, Findings(request.recipe, scenes, control, mechanism, parity, seconds))
        elapsed = time.monotonic() - started
        write_results(request.out / "results.json", scenes, control, mechanism, parity, elapsed)
        say(f"wrote {request.out / 'results.json'} and {request.out / 'report.html'}")
    say(verdict(scenes))


@contextmanager
def _stage(name: str, say: Say) -> Iterator[None]:
    started = time.monotonic()
    say(f"== {name}")
    yield
    say(f"== {name}: done in {time.monotonic() - started:.0f} s")


def _work_folder(request: DemoRequest) -> Path:
    """A new folder, or that of the same request if it was interrupted."""
    work, stamp, finished = (request.out / name for name in ("work", "work/request.txt", "results.json"))
    same = stamp.exists() and stamp.read_text(encoding="utf-8") == repr(request)
    if work.exists() and (finished.exists() or not same):
        shutil.rmtree(work)
    finished.unlink(missing_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    stamp.write_text(repr(request), encoding="utf-8")
    return work


def _prepare(runs: Sequence[Run], recipe: Recipe, say: Say) -> None:
    """Data once a dataset, nets and solvers once a run."""
    for run in runs:
        data = run.dataset / "data"
        if not data.exists():
            run.dataset.mkdir(parents=True, exist_ok=True)
            write_scenes(data, recipe.scenes, run.seed, KINDS[run.dataset.name])
            say(f"wrote {sum(recipe.scenes.values()):,} images to {data}")
        write_models(run.folder, run.arm, recipe.setting, run.seed)
        say(f"wrote nets and solvers of {run.arm.title} to {run.folder / 'models'}")


def _of_kind(outcomes: Sequence[MeasuredRun], kind: str) -> list[MeasuredRun]:
    return [outcome for outcome in outcomes if outcome.run.dataset.name == kind]


def _compare(run: Run) -> Comparison:
    """The trained net here and in OpenCV, on test images."""
    net = load_net(str(run.deploy_net), "TEST", weights=str(run.weights))
    files = run.files("test")
    _, _, height, width = net.blobs["data"].shape
    names = [image.name for image in read_image_list(files.image_list)[:PARITY_IMAGES]]
    images = np.stack([net_input(image_path(f"{files.images}/", name), height, width) for name in names])
    return compare_with_opencv(net, {"data": images})
