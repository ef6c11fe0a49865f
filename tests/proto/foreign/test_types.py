"""Types of other Caffes: no name means two things."""

from caffe_compat.proto.foreign.types import FOREIGN_TYPES, V1_WORDS, foreign_type, type_of_v1
from caffe_compat.proto.upgrade.v1 import TYPES


def test_v1_words_are_not_bvlcs() -> None:
    assert not set(V1_WORDS) & set(TYPES)


def test_v1_words_are_no_foreign_types() -> None:
    assert not [word for word in V1_WORDS if foreign_type(word)]


def test_a_type_in_every_spelling() -> None:
    assert foreign_type("SegAccuracy") == foreign_type("SEG_ACCURACY") == "SegAccuracy"
    assert foreign_type("Convolution") is None
    assert type_of_v1("PRIOR_BOX") == "PriorBox"
    assert type_of_v1("MULTI_STAGE_MEANFIELD") == "MultiStageMeanfield"
    assert type_of_v1("WIBBLE") == "WIBBLE"


def test_every_type_says_whose_it_is_and_what_to_do() -> None:
    for name, foreign in FOREIGN_TYPES.items():
        assert foreign.caffe, name
        assert foreign.cure, name
        assert not foreign.cure.endswith("."), name
