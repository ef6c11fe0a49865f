"""The short form of the attack with damaged inputs: every kind, a few numbers each."""

from pathlib import Path

import pytest

from tests.reliability.attack_inputs import ALL_KINDS, outcome, write_damaged
from tests.reliability.inputs import KINDS, Kind

#: Inputs per kind of a file, and per kind that a command reads, which takes longer.
COUNT, OF_COMMANDS = 4, 1


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_good_inputs_are_read(kind: Kind, command_inputs: Path) -> None:
    assert outcome(kind, 0).verdict == "read"


@pytest.mark.parametrize("kind", ALL_KINDS, ids=lambda kind: kind.name)
def test_damaged_inputs_are_read_or_refused_in_a_line(kind: Kind, command_inputs: Path) -> None:
    for number in range(COUNT if kind in KINDS else OF_COMMANDS):
        good = write_damaged(kind, number, 20, command_inputs)
        result = outcome(kind, number)
        (command_inputs / kind.file).write_bytes(good)
        assert result.verdict in ("read", "refused"), result
