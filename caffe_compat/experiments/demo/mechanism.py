"""The demo's part of the mechanism study: SRN and the same net without spatial extent, where only places can help."""

from collections.abc import Sequence
from pathlib import Path

from caffe_compat.experiments.mechanism.study import Result, run_study
from caffe_compat.experiments.mechanism.trials import NARROW, SCENES, StudyRow
from caffe_compat.experiments.runs import Say

ARMS = ("srn", "point")
OUTPUTS = ("y_cls", "y_att", "y_sr", "y")
#: Scenes of the tiny demo, which shows no more than that all works.
TINY_SCENES = 24


def run_mechanism(work: Path, tiny: bool, say: Say) -> list[Result]:
    """Trains and measures both arms with one seed."""
    trials = [StudyRow(arm, NARROW, TINY_SCENES if tiny else SCENES) for arm in ARMS]
    return run_study(trials, (0,), work, say)


def mechanism_rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """AP of the relation labels in per cent: a row for each arm, a column for each of OUTPUTS."""
    return [
        (result.trial.made_of.arm.title, *(f"{100 * result.ap[output]['relation']:.1f}" for output in OUTPUTS))
        for result in results
    ]


def mechanism_sentence(results: Sequence[Result]) -> str:
    """What the two arms say, in a sentence."""
    srn, point = (100 * result.ap["y"]["relation"] for result in results)
    return (
        f"The relation of two digits is worth 50 by chance. SRN reaches {srn:.1f}, and without conv4's spatial extent "
        f"{point:.1f}: a difference of {srn - point:+.1f} points with one seed. docs/mechanism.md has all controls."
    )
