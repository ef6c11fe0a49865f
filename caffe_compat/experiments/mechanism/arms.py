"""The arms of the mechanism study: SRN, its controls and its baselines, all over a backbone of limited field.

The receptive field of the backbone is 15 pixels and that of f_att 31, while two digits lie 40 pixels apart, so only
conv4's kernels over aligned label maps can tell a relation. Each control takes one thing away from SRN:

- `point`: conv4's spatial extent;
- `rolled`: the alignment of the label maps;
- `coin`: the rule itself, which no model can then learn.
"""

from dataclasses import dataclass

from caffe_compat.experiments.arms import Arm, ArmStep, Setting, same_budget
from caffe_compat.experiments.mechanism.relation_rules import CLASS_NAMES, RelationRules
from caffe_compat.experiments.mechanism.relation_scenes import CELL

#: The rules of each kind of data.
DATA = {"relations": RelationRules(), "coin": RelationRules(coin_labels=True)}

SRN_OUTPUTS = ("y", "y_cls", "y_att", "y_sr")
SRN_STEPS = (ArmStep(6, 0.05), ArmStep(3, 0.02), ArmStep(12, 0.05), ArmStep(4, 0.03))
BASELINE_STEPS = same_budget(SRN_STEPS, rate=0.05)
#: The same budget, for a backbone that sees the whole picture and has most to learn.
BACKBONE_STEPS = (ArmStep(18, 0.05), ArmStep(1, 0.02), ArmStep(3, 0.05), ArmStep(3, 0.003))
#: The paper's own way: the main net is trained in full before SRN is added, so SRN has more epochs than its baseline.
#: The last rate was chosen on validation scenes among 0.03, 0.01, 0.003 and 0.001 (docs/mechanism.md).
LATE_STEPS = (*BASELINE_STEPS, *SRN_STEPS[1:3], ArmStep(4, 0.003))


@dataclass(frozen=True)
class MechanismArm:
    """An arm, the kind of data it is trained and tested on, and what it takes away."""

    arm: Arm
    data: str
    takes_away: str


def _srn(
    title: str,
    takes_away: str,
    data: str = "relations",
    steps: tuple[ArmStep, ...] = SRN_STEPS,
    **options: str,
) -> MechanismArm:
    return MechanismArm(Arm(title, "resnet101_srn", steps, SRN_OUTPUTS, options), data, takes_away)


def _plain(title: str, model: str, takes_away: str) -> MechanismArm:
    return MechanismArm(Arm(title, model, BASELINE_STEPS, ("y_cls",)), "relations", takes_away)


ARMS = {
    "srn": _srn("SRN", "nothing"),
    "point": _srn("SRN, conv4 1x1 and mean", "spatial extent", conv4="point"),
    "rolled": _srn("SRN, U rolled", "alignment of the labels' maps", alignment="rolled"),
    "coin": _srn("SRN, coin labels", "the rule", data="coin"),
    "srn_att": MechanismArm(
        Arm("SRN-att", "resnet101_srn_att", SRN_STEPS, SRN_OUTPUTS), "relations", "weighting by confidence"
    ),
    "baseline": _plain("narrow baseline", "resnet101", "attention and regularization"),
    "backbone": _srn("SRN, most epochs for the backbone", "nothing", steps=BACKBONE_STEPS),
    "late": _srn("SRN on the trained baseline", "equal epochs", steps=LATE_STEPS),
    "late_point": _srn(
        "SRN on the trained baseline, conv4 1x1 and mean",
        "equal epochs, spatial extent",
        steps=LATE_STEPS,
        conv4="point",
    ),
    "deeper": _plain("narrow baseline, more layers", "resnet107", "attention and regularization, not size"),
}


def setting(train_images: int, receptive_field: int, tests: int = 1000, validations: int = 200) -> Setting:
    """What all arms share; 13 x 13 maps of 8 pixels a place."""
    return Setting(
        images={"train": train_images, "val": validations, "test": tests},
        labels=len(CLASS_NAMES),
        input_size=CELL * RelationRules().grid,
        batch_size=32,
        options={
            "backbone": "narrow",
            "receptive_field": receptive_field,
            "width": 16,
            "head_width": 64,
            "head_norm": "bn",
        },
        clip_gradients=10,
        validations=1,
    )
