from types import SimpleNamespace

import numpy as np
import pytest

from caffe_compat.demo.findings import cause, outputs_sentence, verdict
from caffe_compat.demo.outcomes import Outcome, ap_gains, gains, mean_figures, of_arm
from caffe_compat.demo.recipe import BASELINE, FULL, SRN
from caffe_compat.demo.runs import Run


def outcome(name, seed, appearance, position, tmp_path):
    """A run whose AP is the same in each group; other outputs are 10 points below the prediction."""
    run = Run(name, FULL.arms[name], tmp_path / "scenes", seed)

    def measurement(lower):
        ap = np.array([appearance - lower] * 10 + [position - lower] * 10)
        return SimpleNamespace(ap=ap, figures=dict.fromkeys(("mAP", "F1-C", "F1-O"), ap.mean()))

    return Outcome(run, {output: measurement(0.1 * bool(place)) for place, output in enumerate(run.arm.outputs)})


def outcomes(tmp_path, *seeds):
    """For each seed AP of (baseline appearance, baseline position, SRN appearance, SRN position)."""
    return [
        outcome(name, seed, *values, tmp_path)
        for seed, (a, b, c, d) in enumerate(seeds)
        for name, values in ((SRN, (c, d)), (BASELINE, (a, b)))
    ]


def test_means_and_gains_are_paired_by_seed(tmp_path):
    made = outcomes(tmp_path, (0.8, 0.6, 0.9, 0.8), (0.7, 0.5, 0.6, 0.6))

    assert [outcome.run.seed for outcome in of_arm(made, SRN)] == [0, 1]
    assert mean_figures(of_arm(made, SRN))["mAP"] == pytest.approx((0.85 + 0.6) / 2)
    assert mean_figures(of_arm(made, SRN), "y_cls")["mAP"] == pytest.approx((0.75 + 0.5) / 2)
    assert gains(made) == pytest.approx([0.15, 0.0])
    assert gains(made, "position") == pytest.approx([0.2, 0.1])
    np.testing.assert_allclose(ap_gains(made), [0.0] * 10 + [0.15] * 10, atol=1e-12)


def test_the_verdict_counts_seeds(tmp_path):
    assert verdict(outcomes(tmp_path, (0.8, 0.6, 0.9, 0.8), (0.7, 0.5, 0.6, 0.58))) == (
        "SRN reaches 72.0 mAP, the plain baseline 65.0: +7.0 points (standard deviation 11.3); "
        "SRN is ahead in 1 of 2 seeds."
    )
    assert verdict(outcomes(tmp_path, (0.8, 0.6, 0.7, 0.6))) == (
        "SRN reaches 65.0 mAP, the plain baseline 70.0: −5.0 points; SRN is ahead in 0 of 1 seed."  # noqa: RUF001
    )


def test_outputs_are_compared(tmp_path):
    assert outputs_sentence(outcomes(tmp_path, (0.8, 0.6, 0.9, 0.8))) == (
        "By output: y 85.0, y_cls 75.0, y_att 75.0, y_sr 75.0; y is the best of them."
    )


@pytest.mark.parametrize(
    ("control", "said"),
    [
        ((0.8, 0.5, 0.8, 0.5), "About 10.0 points of the gain on positional labels vanish with the rule"),
        (
            (0.8, 0.5, 0.9, 0.6),
            "The gain on positional labels does not depend on the rule, so it does not come from it",
        ),
        ((0.8, 0.5, 0.9, 0.5), "by attention and the loss on y_att, not from relations between labels."),
        ((0.8, 0.5, 0.8, 0.6), "labels of appearance alone gain little or nothing."),
    ],
)
def test_the_control_tells_the_cause(tmp_path, control, said):
    scenes = outcomes(tmp_path, (0.8, 0.6, 0.9, 0.7))

    first, second, reading = cause(scenes, outcomes(tmp_path, control))
    assert first.startswith(
        "Labels that appearance decides gain +10.0 points of AP, labels that only relative position"
    )
    assert second.startswith("In the control a coin decides between left and right")
    assert said in reading


def test_without_a_control_nothing_is_said_of_the_cause(tmp_path):
    assert cause(outcomes(tmp_path, (0.8, 0.6, 0.9, 0.7)), [])[1].startswith(
        "No control was trained: run the demo with"
    )
