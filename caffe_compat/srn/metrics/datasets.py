"""What differs between the three benchmarks when they are evaluated."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EvaluationRules:
    """How the paper and its released evaluate.m treat one data set."""

    title: str
    ignore_unspecified: bool  # label 0 counts neither as right nor as wrong in AP (labels are 1, 0, -1)
    top3_block: str | None  # which of our top-3 blocks the paper's table shows


DATASETS = {
    "coco": EvaluationRules("MS-COCO", ignore_unspecified=False, top3_block="top3+filter"),
    "nus_wide": EvaluationRules("NUS-WIDE", ignore_unspecified=False, top3_block="top3"),
    "wider_att": EvaluationRules("WIDER-Attribute", ignore_unspecified=True, top3_block=None),
}
