"""The short form of the attack on trainings under torchrun: one training each of two ways to disturb it."""

import random
from pathlib import Path

import pytest

from caffe_compat.solvers.prefix import newest_whole_snapshot
from tests.reliability.attack_torchrun import WAYS


@pytest.mark.slow
@pytest.mark.parametrize("way", ["SIGTERM to torchrun", "SIGKILL to torchrun"])
def test_a_disturbed_training_ends_and_leaves_a_whole_snapshot(way: str, inputs: Path) -> None:
    WAYS[way]("t", random.Random(2))
    assert newest_whole_snapshot("t") is not None
