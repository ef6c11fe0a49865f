"""The demo's numbers.

The rate of each model's longest step was chosen on the validation split alone, of a seed that is not reported
(`benchmarks/demo_rates.py`, `results/demo_rates.json`). mAP there at 0.03, 0.05 and 0.08: baseline 77.7, 86.9 and 77.2;
SRN's y 91.8, 92.2 and 91.0. At 0.08 the baseline's first iterations diverge and it learns late; clipping gradients at
10 cures that but costs more than it gains (76.4, and 81.3 at 0.05).
"""

from dataclasses import dataclass

from caffe_compat.experiments.arms import Arm, ArmStep, Setting, same_budget
from caffe_compat.srn.datasets.scene_pictures import CELL
from caffe_compat.srn.datasets.scene_rules import CLASS_NAMES, SceneRules


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how good and how quick the demo is."""

    scenes: dict[str, int]
    arms: dict[str, Arm]
    width: int = 16
    head_width: int = 128
    batch_size: int = 32
    depth: int = 26
    attention_pictures: int = 3
    scene_pictures: int = 8

    @property
    def setting(self) -> Setting:
        """What both arms share."""
        return Setting(
            images=self.scenes,
            labels=len(CLASS_NAMES),
            input_size=CELL * SceneRules().grid,
            batch_size=self.batch_size,
            options={"depth": self.depth, "width": self.width, "head_width": self.head_width, "head_norm": "bn"},
        )


BASELINE, SRN = "resnet26", "resnet26_srn"
SRN_OUTPUTS = ("y", "y_cls", "y_att", "y_sr")


def _arms(srn: tuple[ArmStep, ...], baseline_rate: float) -> dict[str, Arm]:
    """The baseline trains as long as all of SRN's steps together, so its backbone learns longer than SRN's."""
    return {
        BASELINE: Arm("ResNet-26", "resnet101", same_budget(srn, baseline_rate), ("y_cls",)),
        SRN: Arm("ResNet-26-SRN", "resnet101_srn", srn, SRN_OUTPUTS),
    }


FULL = Recipe(
    scenes={"train": 1200, "val": 400, "test": 1000},
    arms=_arms((ArmStep(12, 0.05), ArmStep(4, 0.02), ArmStep(4, 0.05), ArmStep(26, 0.05)), baseline_rate=0.05),
)
#: Seconds instead of minutes: it shows that all stages work, not which model is better.
TINY = Recipe(
    scenes={"train": 24, "val": 6, "test": 16},
    arms=_arms((ArmStep(1, 0.02), ArmStep(1, 0.01), ArmStep(1, 0.02), ArmStep(1, 0.02)), baseline_rate=0.02),
    width=2,
    head_width=4,
    batch_size=8,
    attention_pictures=1,
)
