"""The paper's models and training steps (section 3.4): the parts that each step learns, and its losses."""

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class TrainingStep:
    """A training step, which is a run of a solver.

    `parts` make up the net, and `learns` names the parts that are not fixed. `losses` maps a loss layer to its score,
    and `score` is what the net predicts after the step. `epochs` are ours: the paper lowers the rate "whenever
    validation loss gets saturated" and states no length.
    """

    name: str
    parts: tuple[str, ...]
    learns: tuple[str, ...]
    losses: dict[str, str]
    score: str
    epochs: int


class PaperModel(NamedTuple):
    """A row of the paper's tables: its steps, blocks after res5c, and whether S weights the attention (Eq. 8).

    `ranks` says that the losses rank labels (WARP) in place of the cross-entropy of each label.
    `regions` are the kinds of regions of a photograph that the net reads; without them it reads whole images.
    """

    steps: tuple[TrainingStep, ...]
    extra_blocks: int = 0
    weighted_attention: bool = True
    ranks: bool = False
    regions: tuple[str, ...] = ()


SRN_PARTS = ("main", "attention", "regularization")
MAIN = TrainingStep("resnet101", ("main",), ("main",), {"loss_cls": "y_cls"}, score="y_cls", epochs=30)
ATTENTION = TrainingStep(
    "resnet101_att", SRN_PARTS[:2], ("attention",), {"loss_att": "y_att"}, score="y_att", epochs=10
)
REGULARIZATION = TrainingStep(
    "resnet101_srn", SRN_PARTS, ("regularization",), {"loss_sr": "y_sr"}, score="y", epochs=10
)
FINETUNE = TrainingStep(
    "resnet101_srn_finetune", SRN_PARTS, SRN_PARTS, {"loss": "y", "loss_att": "y_att"}, score="y", epochs=30
)
#: The paper states no recipe. Here all layers learn from the final loss, and y_cls keeps a loss as a prediction.
SEMANTIC = TrainingStep(
    "resnet101_semantic",
    ("main", "semantic"),
    ("main", "semantic"),
    {"loss": "y", "loss_cls": "y_cls"},
    score="y",
    epochs=30,
)

#: CNN-RNN keeps the convolutional net as it is while it learns the rest.
LABEL_PATHS = TrainingStep(
    "cnn_rnn", ("main", "path"), ("path",), {"loss_path": "path"}, score="image_embedding", epochs=30
)
PERSON = TrainingStep("r_cnn", ("main", "regions"), ("main", "regions"), {"loss": "y"}, score="y", epochs=30)
HIERARCHY = dataclasses.replace(PERSON, name="dhc", losses={"loss": "y", "loss_scene": "scene"})
#: The paper's own models (section 4.1).
PAPERS_MODELS = {
    "resnet101": PaperModel((MAIN,)),
    "resnet107": PaperModel((dataclasses.replace(MAIN, name="resnet107"),), extra_blocks=2),
    "resnet101_semantic": PaperModel((MAIN, SEMANTIC)),
    "resnet101_srn_att": PaperModel(
        (
            MAIN,
            ATTENTION,
            dataclasses.replace(REGULARIZATION, name="resnet101_srn_att"),
            dataclasses.replace(FINETUNE, name="resnet101_srn_att_finetune"),
        ),
        weighted_attention=False,
    ),
    "resnet101_srn": PaperModel((MAIN, ATTENTION, REGULARIZATION, FINETUNE)),
}
#: The methods that the paper compares with (section 4.1), over the same backbones. KNN has the files of resnet101.
COMPARED_MODELS = {
    "cnn_rnn": PaperModel((MAIN, LABEL_PATHS)),
    "dhc": PaperModel((HIERARCHY,), regions=("person", "part", "neighbour", "whole")),
    "r_cnn": PaperModel((PERSON,), regions=("person",)),
    "r_star_cnn": PaperModel((dataclasses.replace(PERSON, name="r_star_cnn"),), regions=("person", "around")),
    "warp": PaperModel((dataclasses.replace(MAIN, name="warp"),), ranks=True),
}
MODELS = PAPERS_MODELS | COMPARED_MODELS

#: Losses of step 4 in the released code: one per classifier, and none for the sum of classifiers.
RELEASED_FINETUNE_LOSSES = {"loss_att": "y_att", "loss_sr": "y_sr", "loss_cls": "y_cls"}


def steps_of(model: str, finetune_losses: str) -> tuple[TrainingStep, ...]:
    """The steps of a model; the last SRN step has the paper's or the released losses."""
    steps = MODELS[model].steps
    if finetune_losses == "paper" or "regularization" not in steps[-1].parts:
        return steps
    return (*steps[:-1], dataclasses.replace(steps[-1], losses=RELEASED_FINETUNE_LOSSES))
