"""The short form of the attack with kills: trainings end with the bytes of one that was never killed."""

from pathlib import Path

import pytest

from tests.reliability.attack_kills import attack


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of fork beside threads, from Python 3.12 on
def test_killed_trainings_end_with_the_same_bytes(inputs: Path) -> None:
    kills, inside = attack(8, 4, seed=3)
    assert kills >= 8
    assert inside >= 4
