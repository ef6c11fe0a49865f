"""What the outcomes mean, in sentences; each sentence follows from the numbers beside it."""

from collections.abc import Sequence

import numpy as np

from caffe_compat.demo.outcomes import Outcome, gains, mean_figures, mean_gain, of_arm
from caffe_compat.demo.recipe import BASELINE, SRN

#: A gain below this many points of AP is called none: about the spread between seeds.
NOTICEABLE = 1.0


def verdict(scenes: Sequence[Outcome]) -> str:
    """Who wins, by how much, in how many seeds."""
    by_seed = [100 * gain for gain in gains(scenes)]
    base, ours = (100 * mean_figures(of_arm(scenes, name))["mAP"] for name in (BASELINE, SRN))
    wins = sum(gain > 0 for gain in by_seed)
    spread = f" (standard deviation {np.std(by_seed, ddof=1):.1f})" if len(by_seed) > 1 else ""
    seeds = f"{wins} of {len(by_seed)} seed{'s' * (len(by_seed) > 1)}"
    gain = _signed(float(np.mean(by_seed)))
    return f"SRN reaches {ours:.1f} mAP, the plain baseline {base:.1f}: {gain} points{spread}; SRN is ahead in {seeds}."


def outputs_sentence(scenes: Sequence[Outcome]) -> str:
    """Which of SRN's scores carries the gain."""
    mean = {
        output: 100 * mean_figures(of_arm(scenes, SRN), output)["mAP"] for output in ("y", "y_cls", "y_att", "y_sr")
    }
    best = max(mean, key=lambda output: mean[output])
    listed = ", ".join(f"{output} {value:.1f}" for output, value in mean.items())
    return f"By output: {listed}; {best} is the best of them."


def cause(scenes: Sequence[Outcome], control: Sequence[Outcome]) -> list[str]:
    """What the two groups of labels, and the control if there is one, say about where the gain comes from."""
    appearance, position = (100 * mean_gain(scenes, group) for group in ("appearance", "position"))
    said = [
        f"Labels that appearance decides gain {_signed(appearance)} points of AP, labels that only relative position "
        f"decides {_signed(position)}."
    ]
    if not control:
        return [
            *said,
            "No control was trained: run the demo with --control to see how much of this is the position rule.",
        ]
    there, here = (100 * mean_gain(control, group) for group in ("appearance", "position"))
    said.append(
        f"In the control a coin decides between left and right: there the same labels gain {_signed(there)} and "
        f"{_signed(here)} points."
    )
    return [*said, _reading(appearance, position, there, here)]


def _reading(appearance: float, position: float, control_appearance: float, control_position: float) -> str:
    of_rule = position - control_position
    if of_rule > NOTICEABLE:
        rule = f"About {of_rule:.1f} points of the gain on positional labels vanish with the rule, so they come from it"
    else:
        rule = "The gain on positional labels does not depend on the rule, so it does not come from it"
    if min(appearance, control_appearance) > NOTICEABLE:
        return (
            f"{rule}; the gain on labels of appearance is there with and without the rule: it comes from pooling by "
            "attention and the loss on y_att, not from relations between labels."
        )
    return f"{rule}; labels of appearance alone gain little or nothing."


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")  # noqa: RUF001 - a minus sign
