"""What the outcomes mean, in sentences; each sentence follows from the numbers beside it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from caffe_compat.experiments.demo.outcomes import MeasuredRun, gains, mean_figures, mean_gain, of_arm
from caffe_compat.experiments.demo.recipe import BASELINE, SRN

NO_CONTROL = "No control was trained: run the demo with --control to see how much of this is the position rule."


def verdict(scenes: Sequence[MeasuredRun]) -> str:
    """Who wins, by how much, in how many seeds."""
    by_seed = [100 * gain for gain in gains(scenes)]
    base, ours = (100 * mean_figures(of_arm(scenes, name))["mAP"] for name in (BASELINE, SRN))
    wins = sum(gain > 0 for gain in by_seed)
    spread = f" (standard deviation {np.std(by_seed, ddof=1):.1f})" if len(by_seed) > 1 else ""
    seeds = f"{wins} of {len(by_seed)} seed{'s' * (len(by_seed) > 1)}"
    gain = _signed(float(np.mean(by_seed)))
    return f"SRN reaches {ours:.1f} mAP, the plain baseline {base:.1f}: {gain} points{spread}; SRN is ahead in {seeds}."


def outputs_sentence(scenes: Sequence[MeasuredRun]) -> str:
    """Which of SRN's scores carries the gain."""
    mean = {
        output: 100 * mean_figures(of_arm(scenes, SRN), output)["mAP"] for output in ("y", "y_cls", "y_att", "y_sr")
    }
    best = max(mean, key=lambda output: mean[output])
    listed = ", ".join(f"{output} {value:.1f}" for output, value in mean.items())
    return f"By output: {listed}; {best} is the best of them."


def cause(scenes: Sequence[MeasuredRun], control: Sequence[MeasuredRun]) -> list[str]:
    """What the two groups of labels, y_att by itself, and the control if there is one, say about the gain's source."""
    appearance, position = (_signed(100 * mean_gain(scenes, group)) for group in ("appearance", "position"))
    return [
        f"Labels that appearance decides gain {appearance} points of AP, labels that only relative position decides "
        f"{position}.",
        _share_of_attention(scenes),
        *(_against_control(scenes, control) if control else [NO_CONTROL]),
    ]


def _share_of_attention(scenes: Sequence[MeasuredRun]) -> str:
    """y_att (Eq. 7) scores each label by itself, so that no relation between labels is in it."""
    base = mean_figures(of_arm(scenes, BASELINE))["mAP"]
    attention, whole = (100 * (mean_figures(of_arm(scenes, SRN), output)["mAP"] - base) for output in ("y_att", "y"))
    said = f"y_att, which weighs no label against another, gains {_signed(attention)} points of mAP by itself"
    if attention >= whole:
        return f"{said}, y {_signed(whole)}: pooling by attention and its loss are enough to explain the gain."
    return f"{said}, y {_signed(whole)}: the rest comes with f_sr and from adding y_cls."


def _against_control(scenes: Sequence[MeasuredRun], control: Sequence[MeasuredRun]) -> list[str]:
    appearance, position = (_signed(100 * mean_gain(control, group)) for group in ("appearance", "position"))
    of_rule = 100 * (np.array(gains(scenes, "position")) - gains(control, "position"))
    return [
        f"In the control a coin decides between left and right: there the same labels gain {appearance} and {position} "
        "points.",
        f"The rule's own share of the gain on positional labels is {_signed(of_rule.mean())} points"
        + _certainty(of_rule),
    ]


def _certainty(values: NDArray[np.float64]) -> str:
    """Whether a mean over seeds can be told from zero (Student's t, 95 %)."""
    if len(values) < 2:
        return "; one seed does not tell whether that is more than chance: see --seeds 3."
    low, high = stats.t.interval(0.95, len(values) - 1, values.mean(), stats.sem(values))
    verdict = "more than chance" if low > 0 or high < 0 else "not to be told from none"
    return f", 95 % interval from {_signed(low)} to {_signed(high)} over {len(values)} seeds: {verdict}."


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")
