"""Plans of the paper's tables: rows, data and setting, at demo scale and at full scale.

At demo scale the data are generated: relation scenes for table 1, digit scenes for table 2, and photographs with people
made of digits for table 3. At full scale the data are a folder that `prepare` wrote, and nets, epochs and rates are
those of the paper and the generator.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from caffe_compat.errors import DataError
from caffe_compat.experiments.arms import ArmStep, Setting
from caffe_compat.experiments.compared.method import Budget
from caffe_compat.experiments.compared.people_scenes import FORM, PHOTOGRAPHS, people_in, write_people_scenes
from caffe_compat.experiments.compared.people_scenes import GROUPS as ATTRIBUTE_GROUPS
from caffe_compat.experiments.compared.rows import rows_of
from caffe_compat.experiments.demo.recipe import FULL, SRN
from caffe_compat.experiments.mechanism.arms import BACKBONE_STEPS, DATA, SRN_STEPS
from caffe_compat.experiments.mechanism.arms import setting as relation_setting
from caffe_compat.experiments.mechanism.relation_scenes import write_relation_scenes
from caffe_compat.experiments.mechanism.study import GROUPS
from caffe_compat.experiments.mechanism.trials import FIELDS, NARROW, SCENES, StudyRow
from caffe_compat.experiments.runs import ON_CPU
from caffe_compat.experiments.tables.ablations import ABLATION_ROWS
from caffe_compat.experiments.tables.paper_numbers import PAPER_TABLES, Numbers
from caffe_compat.experiments.tables.rows import PaperRow, compared_row, paper_rows
from caffe_compat.srn.datasets.scene_rules import SceneRules
from caffe_compat.srn.datasets.scenes import write_scenes
from caffe_compat.srn.metrics.datasets import DATASETS, EvaluationRules
from prototxt_gen.options import DATASETS as GENERATED
from prototxt_gen.prepared import Prepared, read_prepared
from prototxt_gen.recipes import MODELS

#: Writes the data of a seed into a new folder.
DataWriter = Callable[[Path, int], None]
#: Epochs of SRN's four steps are the generator's; the rate of each is the paper's.
PAPER_STEPS = tuple(ArmStep(step.epochs, 1e-3) for step in MODELS["resnet101_srn"].steps)
#: With 1,000 scenes all rows but WARP came above 98 of 100, so that nothing could be compared (docs/results.md).
TABLE_1_SCENES = 500
#: SRN's steps in table 3.
TABLE_3_STEPS = (ArmStep(3, 0.05), ArmStep(1, 0.02), ArmStep(2, 0.05), ArmStep(2, 0.03))


@dataclass(frozen=True)
class TablePlan:
    """Everything that is needed to make a table.

    `columns` name figures of `srn/metrics`; `paper` has the paper's numbers in the same order, by the title of a row.
    `groups` are further columns: the mean AP of some labels. `epochs` is the budget of every row. `flags` are those of
    `train-stages`, and `gpus` the devices that predict.
    """

    name: str
    dataset: str
    rows: Sequence[PaperRow]
    setting: Setting
    write_data: DataWriter
    epochs: int
    rules: EvaluationRules
    columns: tuple[str, ...]
    paper: dict[str, Numbers] = field(default_factory=dict)
    groups: dict[str, slice] = field(default_factory=dict)
    flags: tuple[str, ...] = ON_CPU
    gpus: tuple[int, ...] = ()

    @property
    def folder(self) -> str:
        """The name of the folder that holds the data and the runs of a seed."""
        return f"{self.dataset}_{self.setting.images['train']}"


def demo_plan(name: str) -> TablePlan:
    """The plan of a table at demo scale, one of DEMO_TABLES."""
    return _DEMO_PLANS[name]()


def full_plan(
    name: str, data: Path, flags: tuple[str, ...] = ON_CPU, steps: tuple[ArmStep, ...] = PAPER_STEPS, **options: Any
) -> TablePlan:
    """The plan of the paper's table "1", "2" or "3" on a prepared folder.

    `options` are further options of the generator, and `steps` SRN's epochs and rates. DataError where `data` is no
    folder that `prepare` wrote.
    """
    return _plan_of(name, read_folder(data), data, flags, steps, options)


def plan_without_data(name: str, **options: Any) -> TablePlan:
    """Returns a full plan with the numbers of labels and images of the paper's authors, to estimate the time."""
    known = GENERATED[PAPER_TABLES[name].dataset]
    images = {"train": known.train_images, "test": known.test_images}
    prepared = Prepared(known.labels, images, dict.fromkeys(images, 0), ("lmdb", "folder"), unknown_labels=False)
    return _plan_of(name, prepared, Path(), ON_CPU, PAPER_STEPS, options)


def _plan_of(
    name: str,
    prepared: Prepared,
    data: Path,
    flags: tuple[str, ...],
    steps: tuple[ArmStep, ...],
    options: dict[str, Any],
) -> TablePlan:
    table = PAPER_TABLES[name]
    setting = _full_setting(prepared, options)
    return TablePlan(
        name=name,
        dataset=table.dataset,
        rows=_with_compared(int(name), paper_rows("full", steps, steps[0].rate), setting, steps),
        setting=setting,
        write_data=lambda folder, seed: folder.symlink_to(data.resolve(), target_is_directory=True),
        epochs=sum(step.epochs for step in steps),
        rules=DATASETS[table.dataset],
        columns=table.columns,
        paper=table.rows,
        flags=flags,
    )


def read_folder(data: Path) -> Prepared:
    """The summary of a prepared folder; DataError where there is none, or no folder of pictures."""
    prepared = read_prepared(str(data))
    if prepared is None:
        raise DataError(f"{data}: expected a folder that prepare wrote, found no summary.json there; give it as --data")
    if "folder" not in prepared.stored:
        raise DataError(
            f"{data}: expected pictures in a folder too, from which tests read them, found {prepared.stored[0]} alone; "
            "prepare the data with --write lmdb folder"
        )
    if "test" not in prepared.images:
        raise DataError(
            f"{data}: expected a test split, on which tables are measured, found {', '.join(prepared.images)}; "
            "prepare the data with --test"
        )
    return prepared


def _full_setting(prepared: Prepared, options: dict[str, Any]) -> Setting:
    split = "val" if "val" in prepared.images else "test"
    given: dict[str, Any] = {
        "augmentation": "",
        "mirror": True,
        "batch_size": 24,
        "iter_size": 4,
        "test_split": split,
        "source": "lmdb" if "lmdb" in prepared.stored else "folder",
        "unknown_labels": prepared.unknown_labels,
    } | options
    return Setting(
        images={"train": prepared.images["train"], "val": prepared.images[split], "test": prepared.images["test"]},
        labels=prepared.labels,
        input_size=given.pop("input_size", 224),
        batch_size=given["batch_size"],
        options=given,
        snapshots=10,
    )


def _table_1() -> TablePlan:
    setting = relation_setting(TABLE_1_SCENES, FIELDS[-1])
    *rows, srn = paper_rows(str(FIELDS[-1]), BACKBONE_STEPS, BACKBONE_STEPS[0].rate)
    shared = replace(srn, key=StudyRow("backbone", FIELDS[-1], TABLE_1_SCENES).run_name)
    return _demo("1", "relations", [*rows, shared], setting, BACKBONE_STEPS)


def _table_2() -> TablePlan:
    setting, steps = FULL.setting, FULL.arms[SRN].steps
    rows = paper_rows(str(FULL.depth), steps, steps[0].rate)
    return _demo("2", "scenes", rows, setting, steps)


def _table_3() -> TablePlan:
    people = {split: people_in(photographs) for split, photographs in PHOTOGRAPHS.items()}
    setting = Setting(
        images=people,
        labels=len(FORM.class_names),
        input_size=FORM.crop_side,
        batch_size=32,
        options={"backbone": "narrow", "receptive_field": NARROW, "width": 16, "head_width": 64, "head_norm": "bn"},
        clip_gradients=10,
        validations=1,
    )
    rows = _with_compared(3, paper_rows(str(NARROW), TABLE_3_STEPS, TABLE_3_STEPS[0].rate), setting, TABLE_3_STEPS)
    return TablePlan(
        name="3",
        dataset="people",
        rows=rows,
        setting=setting,
        write_data=lambda folder, seed: write_people_scenes(folder, PHOTOGRAPHS, seed),
        epochs=sum(step.epochs for step in TABLE_3_STEPS),
        rules=DATASETS["own"],
        columns=("mAP", "F1-C", "F1-O", *(f"{group} AP" for group in ATTRIBUTE_GROUPS)),
        paper={title: (*numbers, *[None] * len(ATTRIBUTE_GROUPS)) for title, numbers in PAPER_TABLES["3"].rows.items()},
        groups=ATTRIBUTE_GROUPS,
    )


def _ablations() -> TablePlan:
    return TablePlan(
        name="ablations",
        dataset="relations",
        rows=ABLATION_ROWS,
        setting=relation_setting(SCENES, NARROW),
        write_data=_writer("relations", relation_setting(SCENES, NARROW)),
        epochs=sum(step.epochs for step in SRN_STEPS),
        rules=DATASETS["own"],
        columns=("mAP", "F1-C", "F1-O", *(f"{group} AP" for group in GROUPS)),
        groups=GROUPS,
    )


def _demo(name: str, dataset: str, rows: Sequence[PaperRow], setting: Setting, steps: Sequence[ArmStep]) -> TablePlan:
    table = PAPER_TABLES[name]
    return TablePlan(
        name=name,
        dataset=dataset,
        rows=_with_compared(int(name), rows, setting, steps),
        setting=setting,
        write_data=_writer(dataset, setting),
        epochs=sum(step.epochs for step in steps),
        rules=DATASETS[table.dataset],
        columns=table.columns,
        paper=table.rows,
    )


def _writer(dataset: str, setting: Setting) -> DataWriter:
    if dataset == "relations":
        return lambda folder, seed: write_relation_scenes(folder, setting.images, seed, DATA["relations"])
    return lambda folder, seed: write_scenes(folder, setting.images, seed, SceneRules())


def _with_compared(table: int, rows: Sequence[PaperRow], setting: Setting, steps: Sequence[ArmStep]) -> list[PaperRow]:
    """The rows of the compared methods, then `rows`."""
    budget = Budget(setting, sum(step.epochs for step in steps), steps[0].rate)
    suffix = rows[0].key.rpartition("_")[2]
    compared = [compared_row(f"{key}_{suffix}", method, budget) for key, method in rows_of(table).items()]
    return [*compared, *rows]


_DEMO_PLANS: dict[str, Callable[[], TablePlan]] = {"1": _table_1, "2": _table_2, "3": _table_3, "ablations": _ablations}
DEMO_TABLES = tuple(_DEMO_PLANS)
