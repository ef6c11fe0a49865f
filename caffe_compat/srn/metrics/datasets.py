"""What differs between data sets when they are evaluated, and what a user may decide otherwise."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EvaluationRules:
    """How the paper and its released evaluate.m treat a data set."""

    title: str
    ignore_unspecified: bool  # labels are 1, 0, -1, and 0 means unspecified: AP leaves such cells out
    top3_block: str | None  # which top-3 block the paper's table shows: always three labels, or at most three


DATASETS = {
    "coco": EvaluationRules("MS-COCO", ignore_unspecified=False, top3_block="top3+filter"),
    "nus_wide": EvaluationRules("NUS-WIDE", ignore_unspecified=False, top3_block="top3"),
    "wider_att": EvaluationRules("WIDER-Attribute", ignore_unspecified=True, top3_block=None),
    "own": EvaluationRules("own data", ignore_unspecified=False, top3_block="top3"),
}


@dataclass(frozen=True)
class Conventions:
    """How scores become decisions and AP, where the paper's way is only the default."""

    scores: str = "logits"  # or "probabilities", or "auto": probabilities where all scores lie within 0..1
    threshold: float = 0.5  # of the probability
    ap: str = "released"  # a key of AP_METHODS


PAPER = Conventions()
