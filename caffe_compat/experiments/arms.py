"""What an experiment compares: arms, their training steps, and the setting that all arms share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ArmStep:
    """How many epochs a training step takes, and its first learning rate; the rate falls to a tenth at RATE_DROPS."""

    epochs: int
    rate: float


@dataclass(frozen=True)
class Arm:
    """One model of a comparison.

    `model` is the generator's name for it and `options` are further options of the generator. `outputs` are the blobs
    whose scores are measured; the first one is the model's prediction. With `end_to_end`, the model's last training
    step is the only one, and starts from random weights.
    """

    title: str
    model: str
    steps: tuple[ArmStep, ...]
    outputs: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    end_to_end: bool = False

    @property
    def runs_python(self) -> bool:
        """Whether its nets hold a Python layer of ours, which must be allowed."""
        return self.options.get("alignment") == "rolled"

    @property
    def epochs(self) -> int:
        """The epochs of all steps together."""
        return sum(step.epochs for step in self.steps)


@dataclass(frozen=True)
class Setting:
    """What all arms of an experiment share.

    `images` counts the images of each split ("train", "val", "test"); `input_size` is the side of an image in pixels;
    `options` are further options of the generator. `validations` is how often a step is tested on "val", for its curve,
    and `snapshots` how often it is saved on the way, so that a long training can go on after a stop.
    """

    images: Mapping[str, int]
    labels: int
    input_size: int
    batch_size: int
    options: Mapping[str, Any] = field(default_factory=dict)
    clip_gradients: float = 0  # largest L2 norm of all gradients together; 0 does not clip
    validations: int = 8
    snapshots: int = 0


#: The parts of a step after which its learning rate is a tenth.
RATE_DROPS = (0.65, 0.9)


def same_budget(steps: tuple[ArmStep, ...], rate: float) -> tuple[ArmStep, ...]:
    """One step that takes as many epochs as `steps` together: the budget of a model that is trained in one go."""
    return (ArmStep(sum(step.epochs for step in steps), rate),)
