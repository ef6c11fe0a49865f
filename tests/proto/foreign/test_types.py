"""Types of other Caffes: no name means two things."""

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects.layer_types import KNOWN_TO
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


def test_v1_layers_have_the_parameters_of_every_type_that_a_word_names() -> None:
    """VideoData has no word: V1's VIDEO_DATA is C3D's, which reads other lists. WARPLoss is this program's own."""
    v1, today = caffe_pb2.V1LayerParameter.DESCRIPTOR, caffe_pb2.LayerParameter.DESCRIPTOR
    fields = [name for name in today.fields_by_name if name.endswith("_param")]
    assert [name for name in fields if name not in v1.fields_by_name] == []
    assert {*KNOWN_TO} - {*V1_WORDS.values(), *TYPES.values()} == {"NormalizeBBox", "VideoData", "WARPLoss"}
