"""results.json: the figures of all models, in 0..1, and of the parity check."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from caffe_compat.experiments.demo.outcomes import FIGURES, MeasuredRun, mean_figures, of_arm
from caffe_compat.experiments.demo.recipe import BASELINE, SRN, SRN_OUTPUTS
from caffe_compat.experiments.mechanism.study import Result
from caffe_compat.parity.comparison import Comparison
from caffe_compat.proto.file_bytes import replacing


def write_results(
    path: Path,
    scenes: Sequence[MeasuredRun],
    control: Sequence[MeasuredRun],
    mechanism: Sequence[Result],
    parity: Comparison,
    seconds: float,
) -> None:
    """Models hold means over seeds; each seed, SRN's other outputs, the control and the mechanism stand beside them."""
    results = {
        "models": _models(scenes),
        "outputs": {output: mean_figures(of_arm(scenes, SRN), output) for output in SRN_OUTPUTS},
        "seeds": _seeds(scenes),
        "control": {"models": _models(control), "seeds": _seeds(control)} if control else None,
        "mechanism": {result.trial.arm: result.ap for result in mechanism},
        "parity": {"against": "opencv", "max_error": parity.max_error, "layers": len(parity.differences)},
        "seconds": round(seconds, 1),
    }
    with replacing(path) as beside:
        beside.write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _models(outcomes: Sequence[MeasuredRun]) -> dict[str, dict[str, float]]:
    return {name: mean_figures(of_arm(outcomes, name)) for name in (BASELINE, SRN)}


def _seeds(outcomes: Sequence[MeasuredRun]) -> list[dict[str, Any]]:
    seeds = sorted({outcome.run.seed for outcome in outcomes})
    return [
        {"seed": seed}
        | {
            outcome.run.name: {name: outcome.prediction.figures[name] for name in FIGURES}
            for outcome in outcomes
            if outcome.run.seed == seed
        }
        for seed in seeds
    ]
