"""docs/forks.md: fresh, and every type that several Caffes have says whether they mean the same."""

from pathlib import Path

import pytest

from caffe_compat.catalogue.forks import forks_page
from caffe_compat.layers.caffes import BVLC, SRN_FORK
from caffe_compat.layers.registry import facts_of, layer_types

ROOT = Path(__file__).parents[2]
#: Types of BVLC's that several forks changed.
CHANGED = {"Accuracy", "BatchNorm", "Convolution", "Crop", "Dropout", "Eltwise", "LSTM", "Pooling", "Reshape"}


def test_the_page_is_fresh() -> None:
    assert (ROOT / "docs" / "forks.md").read_text() == forks_page(), "run scripts/generate"


def test_types_of_other_caffes_state_their_meanings() -> None:
    of_others = {name for name in layer_types() if set(facts_of(name).known_to) - {BVLC, SRN_FORK, "this project"}}
    assert sorted(name for name in of_others | CHANGED if not facts_of(name).meanings) == []


@pytest.mark.parametrize("name", [name for name in layer_types() if facts_of(name).meanings])
def test_meanings_are_told_apart(name: str) -> None:
    meanings = facts_of(name).meanings
    told = [(meaning.caffes, meaning.told_by) for meaning in meanings]
    assert len(set(told)) == len(told)
    for meaning in meanings:
        assert "|" not in "".join([meaning.caffes, meaning.computes, meaning.told_by, meaning.here])
