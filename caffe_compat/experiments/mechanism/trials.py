"""Which arm is trained on what: the rows of the mechanism study's three tables."""

from dataclasses import dataclass
from pathlib import Path

from caffe_compat.experiments.arms import Setting
from caffe_compat.experiments.mechanism.arms import ARMS, MechanismArm, setting
from caffe_compat.experiments.runs import Run

SCENES = 1600
NARROW = 15  # pixels
#: Fields that grow until the backbone sees the whole picture of 104 pixels.
FIELDS = (15, 31, 63, 111)
SAMPLES = (500, 1000, 2000)
#: Arms that `samples` alone has, each with the arms that it is compared with.
WHOLE_PICTURE = {"backbone": ("baseline",), "late": ("baseline", "late_point"), "late_point": ("baseline",)}


@dataclass(frozen=True)
class StudyRow:
    """A row: an arm, the receptive field of its backbone in pixels, and its number of training scenes."""

    arm: str
    receptive_field: int = NARROW
    scenes: int = SCENES

    @property
    def made_of(self) -> MechanismArm:
        """The arm itself."""
        return ARMS[self.arm]

    @property
    def setting(self) -> Setting:
        """What its nets and data are made from."""
        return setting(self.scenes, self.receptive_field)

    @property
    def run_name(self) -> str:
        """The name of its folder, which a table with the same row may share."""
        return f"{self.arm}_{self.receptive_field}"

    def run(self, work: Path, seed: int) -> Run:
        """The trial with one seed, in WORK/seed_S/DATA_SCENES/ARM_FIELD; trials of the same data share its folder."""
        data = work / f"seed_{seed}" / f"{self.made_of.data}_{self.scenes}"
        return Run(self.run_name, self.made_of.arm, data, seed)

    def __str__(self) -> str:
        return f"{self.made_of.arm.title}, field {self.receptive_field}, {self.scenes} scenes"


#: What each table compares. `controls` shows the mechanism; `dose` and `samples` ask how far it carries.
TABLES: dict[str, tuple[StudyRow, ...]] = {
    "controls": tuple(StudyRow(arm) for arm in ARMS if arm not in WHOLE_PICTURE),
    "dose": tuple(StudyRow(arm, field) for field in FIELDS for arm in ("srn", "baseline")),
    "samples": tuple(
        StudyRow(arm, FIELDS[-1], scenes) for scenes in SAMPLES for arm in ("srn", "baseline", *WHOLE_PICTURE)
    ),
}
