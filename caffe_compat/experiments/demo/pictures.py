"""The report's PNGs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from caffe_compat.data.preprocessing import read_picture
from caffe_compat.experiments.demo.outcomes import FIGURES, MeasuredRun, ap_gains, mean_figures, of_arm
from caffe_compat.experiments.demo.recipe import BASELINE, SRN, SRN_OUTPUTS
from caffe_compat.experiments.runs import Run
from caffe_compat.logs.parsing.reader import Row, read_log
from caffe_compat.net.build import load_net
from caffe_compat.srn.datasets.layout import image_path, read_image_list
from caffe_compat.srn.datasets.scene_rules import CLASS_NAMES, POSITIONAL
from caffe_compat.srn.prediction.attention_figure import draw_attention
from caffe_compat.srn.prediction.attention_maps import attend, attention_blobs

#: Colours that stay apart for colour-blind readers (Okabe and Ito) and in print (bars are hatched as well).
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#666666"
DPI = 130


def draw_scenes(run: Run, number: int, path: Path) -> None:
    """The first test scenes, with a box around each digit and its labels below."""
    files = run.files("test")
    boxes = json.loads(files.boxes.read_text(encoding="utf-8"))
    figure = Figure(figsize=(9, 2.6 * -(-number // 4)), layout="constrained")
    grid = figure.subplots(-(-number // 4), 4, squeeze=False).ravel()
    for axis, image in zip(grid, read_image_list(files.image_list)[:number], strict=False):
        _show_boxes(axis, image_path(f"{files.images}/", image.name), boxes[image.name])
    _save(figure, path)


def _show_boxes(axis: Axes, image: str, things: Sequence[dict[str, Any]]) -> None:
    axis.imshow(read_picture(image)[..., ::-1], interpolation="nearest")
    for thing in things:
        left, top, width, height = thing["box"]
        colour = GREY if thing["degraded"] else ORANGE
        axis.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=colour, linewidth=1.2))
    labels = [thing["labels"][-1] for thing in things]
    axis.set(xticks=[], yticks=[])
    axis.set_xlabel(", ".join(labels), fontsize=9)


def draw_losses(outcomes: Sequence[MeasuredRun], path: Path) -> None:
    """Training and validation losses of all steps of the first seed's runs."""
    arms = [of_arm(outcomes, name)[0].run for name in (BASELINE, SRN)]
    stages = [(run, stage) for run in arms for stage in run.stages]
    figure = Figure(figsize=(2.2 * len(stages), 2.6), layout="constrained")
    for axis, (run, stage) in zip(np.atleast_1d(figure.subplots(1, len(stages))), stages, strict=True):
        log = read_log(run.folder / stage.log_file)
        _curve(axis, log.losses, BLUE, "-", "training")
        _curve(axis, log.tests.get(0, []), ORANGE, "--", "validation")
        title = "all epochs" if len(run.stages) == 1 else f"step {stage.number}"
        axis.set_title(f"{run.arm.title}\n{title}", fontsize=9)
        axis.set_xlabel("iteration", fontsize=8)
        axis.tick_params(labelsize=8)
        axis.set_ylim(bottom=0)
    figure.axes[0].set_ylabel("loss, summed over labels", fontsize=8)
    figure.axes[0].legend(fontsize=8, frameon=False)
    _save(figure, path)


def _curve(axis: Axes, rows: Sequence[Row], colour: str, style: str, label: str) -> None:
    """The sum of the losses that rows name, over iterations."""
    losses = [sum(value for name, value in row.outputs.items() if name.startswith("loss")) for row in rows]
    axis.plot([row.iteration for row in rows], losses, style, color=colour, label=label)


def draw_gains(scenes: Sequence[MeasuredRun], control: Sequence[MeasuredRun], path: Path) -> None:
    """SRN's gain in AP by label; beside it that of the control, if there is one."""
    series = [("with the position rule", scenes, BLUE, "")]
    if control:
        series.append(("control, without the rule", control, ORANGE, "//"))
    figure = Figure(figsize=(9.5, 3.1), layout="constrained")
    axis = figure.subplots()
    places, width = np.arange(len(CLASS_NAMES)), 0.8 / len(series)
    for number, (title, outcomes, colour, hatch) in enumerate(series):
        shift = (number - (len(series) - 1) / 2) * width
        heights = 100 * ap_gains(outcomes)
        axis.bar(places + shift, heights, width, color=colour, hatch=hatch, edgecolor="white", label=title)
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.axvline(POSITIONAL.start - 0.5, color=GREY, linewidth=0.8, linestyle=":")
    axis.set_xticks(places, CLASS_NAMES, rotation=60, ha="right", fontsize=8)
    axis.set_ylabel("gain in AP, points")
    axis.legend(fontsize=8, frameon=False)
    _save(figure, path)


def draw_outputs(scenes: Sequence[MeasuredRun], path: Path) -> None:
    """The paper's three main figures of the baseline and of SRN's outputs."""
    bars = [(of_arm(scenes, BASELINE)[0].run.arm.title, mean_figures(of_arm(scenes, BASELINE)), GREY)]
    ours = of_arm(scenes, SRN)
    bars += [(f"SRN {output}", mean_figures(ours, output), BLUE if output == "y" else GREEN) for output in SRN_OUTPUTS]
    figure = Figure(figsize=(9.5, 2.4), layout="constrained")
    for axis, name in zip(figure.subplots(1, len(FIGURES), sharey=True), FIGURES, strict=True):
        titles, values = [title for title, _, _ in bars], [100 * figures[name] for _, figures, _ in bars]
        drawn = axis.barh(titles, values, color=[colour for _, _, colour in bars])
        axis.bar_label(drawn, fmt="%.1f", padding=2, fontsize=8)
        axis.set_title(name, fontsize=10)
        axis.set_xlim(0, 112)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
        axis.invert_yaxis()
    _save(figure, path)


def draw_attention_maps(run: Run, number: int, folder: Path) -> list[Path]:
    """A and U over the first test scenes that have three companions, for all labels of theirs; returns the files."""
    files = run.files("test")
    boxes = json.loads(files.boxes.read_text(encoding="utf-8"))
    net = load_net(str(run.deploy_net), "TEST", weights=str(run.weights))
    crowded = sorted(boxes, key=lambda name: -len(boxes[name]))[:number]
    paths = []
    for count, name in enumerate(crowded, start=1):
        true = [CLASS_NAMES.index(label) for thing in boxes[name] for label in thing["labels"]]
        image = image_path(f"{files.images}/", name)
        maps = attend(net, attention_blobs(net), image, "y")
        figure = draw_attention(read_picture(image), maps, true, CLASS_NAMES, true)
        paths.append(folder / f"attention_{count}.png")
        _save(figure, paths[-1])
    return paths


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=DPI)
