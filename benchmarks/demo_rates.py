"""Which learning rates suit the demo's two models? Judged on the validation split of a seed that is not reported.

    python benchmarks/demo_rates.py [--rates 0.03 0.05 0.08] [--models resnet26 resnet26_srn] [--out DIR] [--json FILE]

The rate is that of a model's longest step: the baseline's only one, SRN's fourth. The others stay as in the recipe.
"""

import argparse
import dataclasses
import json
import platform
import sys
import tempfile
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from caffe_compat.experiments.arms import Arm
from caffe_compat.experiments.demo.outcomes import judge
from caffe_compat.experiments.demo.recipe import FULL
from caffe_compat.experiments.models import write_models
from caffe_compat.experiments.runs import Run, train
from caffe_compat.srn.datasets.scene_rules import SceneRules
from caffe_compat.srn.datasets.scenes import write_scenes

SEED = 100


def with_rate(arm: Arm, rate: float) -> Arm:
    """The same arm, its longest step at another rate."""
    longest = max(arm.steps, key=lambda step: step.epochs)
    steps = tuple(dataclasses.replace(step, rate=rate) if step is longest else step for step in arm.steps)
    return dataclasses.replace(arm, title=f"{arm.title} at {rate:g}", steps=steps)


def try_rates(names: list[str], rates: list[float], work: Path) -> list[dict[str, object]]:
    """Train each model at each rate, two at a time; one row a run."""
    dataset = work / "scenes"
    if not dataset.exists():
        dataset.mkdir(parents=True)
        write_scenes(dataset / "data", FULL.scenes, SEED, SceneRules())
    runs = {
        (name, rate): Run(f"{name}_{rate:g}", with_rate(FULL.arms[name], rate), dataset, SEED)
        for rate in rates
        for name in names
    }
    for run in runs.values():
        write_models(run.folder, run.arm, FULL.setting, SEED)
    train(list(runs.values()), lambda line: print(line, flush=True))
    return [
        {"model": name, "rate": rate}
        | {output: m.figures["mAP"] for output, m in judge(run, "val").measurements.items()}
        for (name, rate), run in runs.items()
    ]


def main() -> None:
    """Try, print a table, keep what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.03, 0.05, 0.08])
    parser.add_argument("--models", nargs="+", choices=FULL.arms, default=list(FULL.arms))
    parser.add_argument("--out", type=Path, help="keep the runs here (default: a folder that is removed)")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as passing:
        rows = try_rates(arguments.models, arguments.rates, (arguments.out or Path(passing)).resolve())
    for row in rows:
        print("  ".join(f"{key} {100 * v:.1f}" if key[0] == "y" else f"{v}" for key, v in row.items()))
    if arguments.json:
        about = {"torch": torch.__version__, "machine": platform.machine(), "seed": SEED, "scenes": FULL.scenes}
        arguments.json.write_text(json.dumps(about | {"validation mAP": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
