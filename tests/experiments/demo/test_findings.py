from types import SimpleNamespace

import numpy as np
import pytest

from caffe_compat.experiments.demo.findings import cause, outputs_sentence, verdict
from caffe_compat.experiments.demo.outcomes import MeasuredRun, ap_gains, gains, mean_figures, of_arm
from caffe_compat.experiments.demo.recipe import BASELINE, FULL, SRN
from caffe_compat.experiments.runs import Run


def outcome(name, seed, appearance, position, tmp_path):
    """A run whose AP is the same in each group; other outputs are 10 points below the prediction."""
    run = Run(name, FULL.arms[name], tmp_path / "scenes", seed)

    def measurement(lower):
        ap = np.array([appearance - lower] * 10 + [position - lower] * 10)
        return SimpleNamespace(ap=ap, figures=dict.fromkeys(("mAP", "F1-C", "F1-O"), ap.mean()))

    return MeasuredRun(run, {output: measurement(0.1 * bool(place)) for place, output in enumerate(run.arm.outputs)})


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
        "SRN reaches 65.0 mAP, the plain baseline 70.0: −5.0 points; SRN is ahead in 0 of 1 seed."
    )


def test_outputs_are_compared(tmp_path):
    assert outputs_sentence(outcomes(tmp_path, (0.8, 0.6, 0.9, 0.8))) == (
        "By output: y 85.0, y_cls 75.0, y_att 75.0, y_sr 75.0; y is the best of them."
    )


@pytest.mark.parametrize(
    ("control", "said"),
    [
        (
            [(0.8, 0.6, 0.9, 0.6), (0.8, 0.5, 0.8, 0.51)],
            "+9.5 points, 95 % interval from +3.1 to +15.9 over 2 seeds: more than chance.",
        ),
        (
            [(0.8, 0.6, 0.9, 0.7), (0.8, 0.5, 0.8, 0.55)],
            "+2.5 points, 95 % interval from −29.3 to +34.3 over 2 seeds: not to be told from none.",
        ),
    ],
)
def test_the_rule_is_a_cause_only_beyond_chance(tmp_path, control, said):
    scenes = outcomes(tmp_path, (0.8, 0.6, 0.9, 0.7), (0.8, 0.6, 0.9, 0.7))

    groups, _, coin, rule = cause(scenes, outcomes(tmp_path, *control))
    assert groups == (
        "Labels that appearance decides gain +10.0 points of AP, labels that only relative position decides +10.0."
    )
    assert coin.startswith("In the control a coin decides between left and right: there the same labels gain +5.0 and ")
    assert rule == f"The rule's own share of the gain on positional labels is {said}"


def test_one_seed_is_no_proof(tmp_path):
    scenes, control = outcomes(tmp_path, (0.8, 0.6, 0.9, 0.7)), outcomes(tmp_path, (0.8, 0.6, 0.9, 0.6))
    assert cause(scenes, control)[-1].endswith(
        "is +10.0 points; one seed does not tell whether that is more than chance: see --seeds 3."
    )


@pytest.mark.parametrize(
    ("lower", "said"),
    [
        (
            -0.05,
            "+15.0 points of mAP by itself, y +10.0: pooling by attention and its loss are enough to explain the gain.",
        ),
        (0.06, "+4.0 points of mAP by itself, y +10.0: the rest comes with f_sr and from adding y_cls."),
    ],
)
def test_attention_alone_is_compared_with_the_whole(tmp_path, lower, said):
    scenes = outcomes(tmp_path, (0.8, 0.6, 0.9, 0.7))
    y_att = of_arm(scenes, SRN)[0].measurements["y_att"]
    y_att.figures["mAP"] = 0.8 - lower
    assert cause(scenes, [])[1] == f"y_att, which weighs no label against another, gains {said}"


def test_without_a_control_nothing_is_said_of_the_rule(tmp_path):
    assert cause(outcomes(tmp_path, (0.8, 0.6, 0.9, 0.7)), [])[-1].startswith(
        "No control was trained: run the demo with"
    )
