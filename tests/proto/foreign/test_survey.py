"""The walk over a text: what it finds, where, and in which layer."""

from typing import Any

import pytest

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.foreign.survey import survey, tokens

NET: Any = caffe_pb2.NetParameter.DESCRIPTOR


def found(text: str) -> list[tuple[str, str, str]]:
    """Each unknown word: its message, the text of the field with its value, and the layer's name."""
    return [
        (word.message.name, text[word.start : word.end], word.layer.name if word.layer else "")
        for word in survey(text, NET).unknown
    ]


def test_tokens_leave_out_blanks_and_comments() -> None:
    text = "a: -1e-5 # b {\n'#c \\' }' <.5>;"
    assert [token.text for token in tokens(text)] == ["a", ":", "-", "1e-5", "'#c \\' }'", "<", ".5", ">", ";"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x: 1 name: 'n' y { z: 2 } state { w: -3 }", [("NetParameter", "x: 1", ""), ("NetParameter", "y { z: 2 }", ""),
                                                       ("NetState", "w: -3", "")]),
        ("layer { name: 'a' u: 'v' 'w' top: 't' }", [("LayerParameter", "u: 'v' 'w'", "a")]),
        ("layer { u: [1, 2] name: 'late' }", [("LayerParameter", "u: [1, 2]", "late")]),
        ("layer: [{ name: 'a' }, { name: 'b' u <v: 1> }] z: 1", [("LayerParameter", "u <v: 1>", "b"),
                                                                 ("NetParameter", "z: 1", "")]),
        ("layer { name: 'a' phase: TRIAL }", [("LayerParameter", "phase: TRIAL", "a")]),
        ("layer { name: 'a' phase: 'TEST' phase: 1 phase: TEST }", [("LayerParameter", "phase: 'TEST'", "a")]),
        ("layers { type: CROP name: 'c' }", [("V1LayerParameter", "type: CROP", "c")]),
        ("u { v", [("NetParameter", "u { v", "")]),
        ("u:", [("NetParameter", "u:", "")]),
    ],
)  # fmt: skip
def test_finds_unknown_words(text: str, words: list[tuple[str, str, str]]) -> None:
    assert found(text) == words


@pytest.mark.parametrize("text", ["}} x: 1", "name 'n' : x: 1", "layer x: 1", "= x: 1", "name:"])
def test_ends_where_the_text_is_no_message(text: str) -> None:
    assert found(text) == []


def test_signs_apart_from_their_numbers() -> None:
    text = "layer { loss_weight: - 1 loss_weight: -1 loss_weight: [2, -  3] }"
    assert [text[start:end] for start, end in survey(text, NET).loose_signs] == ["- ", "-  "]
