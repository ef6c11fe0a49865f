"""Handles words that the schema lacks: leaves out or translates some, and writes error messages for the others."""

from collections.abc import Sequence
from difflib import get_close_matches

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from caffe_compat.errors import some_of
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from caffe_compat.proto.foreign.fields import fork_of_field, fork_of_field_without_effect, is_unused_at
from caffe_compat.proto.foreign.survey import REPEATED_ELSEWHERE, LayerInText, UnknownWord
from caffe_compat.proto.foreign.types import FOREIGN_TYPES, foreign_type

# What each of the two kinds of text file holds.
_FILES = {"NetParameter": "a net, not a solver", "SolverParameter": "a solver, not a net"}
#: Messages of a file that no layer holds.
NOT_IN_A_LAYER = {*_FILES, "NetState", "MemoryOptimizationParameter", "Phase"}
#: Least similarity (0 to 1) at which a known word is suggested for an unknown one, so that only typos match.
_LIKENESS = 0.8
#: A word longer than this may be the beginning of the field that is meant: pool of pooling.
_LEAST_BEGINNING = 3
#: Characters of a name that a message shows.
MOST_OF_A_NAME = 60
#: Layers that one line of a message names.
_MOST_NAMES = 3


def shortened(text: str, most: int) -> str:
    """At most so many characters of a text, all of them printable."""
    plain = "".join(character if character.isprintable() else "?" for character in text[: most + 1])
    return plain if len(plain) <= most else plain[: most - 3] + "..."


def is_type_of_v1(word: UnknownWord) -> bool:
    """Whether the word is the type of a V1 layer of another Caffe: `layers { type: CROP }`."""
    return word.message.name == "V1LayerParameter" and word.field == "type"


def why_left_out(word: UnknownWord) -> str | None:
    """Why a net does without the word: it changes no prediction, or stands in a layer that cannot run. Else None."""
    fork = fork_of_field_without_effect(word.message.name, word.field, word.value)
    fork = fork or REPEATED_ELSEWHERE.get((word.message.name, word.field))
    if fork:
        return f"of {fork}"
    if is_unused_at(word.message.name, word.field, word.given):
        return f"not used at {word.given}, of {fork_of_field(word.message.name, word.field) or 'other Caffes'}"
    foreign = foreign_type(word.layer.type) if word.layer else None
    return f"of {FOREIGN_TYPES[foreign].caffe}, whose {foreign} cannot run here" if foreign else None


def left_out_in_words(words: Sequence[UnknownWord]) -> str:
    """What is left out, each word once: `engine (of Intel's Caffe; in 53 layers)`."""
    counts: dict[tuple[str, str], int] = {}
    for word in words:
        key = (f"{word.field}: {word.value}" if word.value else word.field, why_left_out(word) or "")
        counts[key] = counts.get(key, 0) + 1
    return ", ".join(
        f"{name} ({why}{f'; {count} times' if count > 1 else ''})" for (name, why), count in counts.items()
    )


def problem(words: Sequence[UnknownWord]) -> str:
    """Returns the problem and cure of a word, which may occur in several layers, for an error message."""
    word = words[0]
    return f"{_layers(words)}{_unknown_value(word) if word.value else _unknown_field(word.message, word.field)}"


def of_another_file(words: Sequence[UnknownWord]) -> list[UnknownWord]:
    """The first word that tells a solver from a net, or a net from a solver; none where the kind of file is right."""
    return [
        word
        for word in words
        if word.message.name in _FILES
        and any(_has(owner, word.field) for owner in _FILES if owner != word.message.name)
    ][:1]


def _layers(words: Sequence[UnknownWord]) -> str:
    """Returns the layers that hold the word, as text; "" if the word belongs to the whole file."""
    layers = [word.layer for word in words if word.layer is not None]
    if words[0].message.name in NOT_IN_A_LAYER or not layers:
        return ""
    more = f" (and {len(layers) - 1} more)" if len(layers) > 1 else ""
    return f"{_layer(layers[0])}{more}: "


def _layer(layer: LayerInText) -> str:
    name = f"'{shortened(layer.name, MOST_OF_A_NAME)}'" if layer.name else f"number {layer.number}"
    return f"layer {name}{f' ({shortened(layer.type, MOST_OF_A_NAME)})' if layer.type else ''}"


def _unknown_field(message: Descriptor, name: str) -> str:
    shown = shortened(name, MOST_OF_A_NAME)
    fork = fork_of_field(message.name, name)
    if fork:
        return f"{message.name} has no field '{shown}', a field of {fork}: {_without(message)}"
    return f"{message.name} has no field '{shown}'; {_field_cure(message, shown)}"


def _field_cure(message: Descriptor, name: str) -> str:
    other_file = next((kind for owner, kind in _FILES.items() if owner != message.name and _has(owner, name)), None)
    if message.name in _FILES and other_file:
        return f"this seems to be {other_file}"
    inside = _holders(message, name) or _holders(caffe_pb2.DESCRIPTOR.message_types_by_name["LayerParameter"], name)
    if inside:
        others = f" or {len(inside) - _MOST_NAMES} others" if len(inside) > _MOST_NAMES else ""
        return f"it belongs into {' or '.join(inside[:_MOST_NAMES])}{others}"
    near = _nearest(message, name)
    if near:
        return f"did you mean '{near}'?"
    return f"neither BVLC Caffe nor the SRN fork has it: {_without(message)}"


def _nearest(message: Descriptor, name: str) -> str | None:
    """The field most like it; what nearly all fields of a layer end in makes none of them alike."""
    ending = "_param" if name.endswith("_param") else ""
    known = {field.removesuffix(ending): field for field in message.fields_by_name if field.endswith(ending)}
    bare = name.removesuffix(ending)
    begun = [field for field in known if len(bare) > _LEAST_BEGINNING and field.startswith(bare)]
    near = begun or get_close_matches(bare, known, n=1, cutoff=_LIKENESS)
    return known[near[0]] if near else None


def _without(message: Descriptor) -> str:
    """Returns the cure for a field without a replacement, for an error message."""
    take_it_out = "take it out if it changes no result"
    if message.name in NOT_IN_A_LAYER:
        return take_it_out
    return f"{take_it_out}, else exchange the layer for one of docs/layers.md or for a Python layer of your own"


def _has(message: str, name: str) -> bool:
    return name in caffe_pb2.DESCRIPTOR.message_types_by_name[message].fields_by_name


def _holders(message: Descriptor, name: str) -> list[str]:
    """Returns the message's fields whose inner message has a field of this name, and the only Caffe that has them."""
    return [
        f"{field.name}{_only_in(message, field)}"
        for field in message.fields
        if field.message_type is not None and name in field.message_type.fields_by_name
    ]


def _only_in(message: Descriptor, field: FieldDescriptor) -> str:
    knowing = [
        dialect
        for dialect, schema in (("BVLC Caffe", bvlc_pb2), ("the SRN fork", srn_fork_pb2))
        if message.name in schema.DESCRIPTOR.message_types_by_name
        and field.name in schema.DESCRIPTOR.message_types_by_name[message.name].fields_by_name
    ]
    return f" ({knowing[0]} only)" if len(knowing) == 1 else ""


def _unknown_value(word: UnknownWord) -> str:
    enum: EnumDescriptor = word.message.fields_by_name[word.field].enum_type
    if word.value in enum.values_by_name:
        return f"{word.value} is a name, not a string: write it without quotes"
    near = get_close_matches(word.value[:MOST_OF_A_NAME].upper(), enum.values_by_name, n=1, cutoff=_LIKENESS_OF_VALUES)
    cure = f"did you mean {near[0]}?" if near else f"it has {some_of(enum.values_by_name)}"
    return f"{enum.full_name.split('.', 1)[1]} has no value {shortened(word.value, MOST_OF_A_NAME)}; {cure}"


#: AVG is AVE, but SORT is not PROD (0.5).
_LIKENESS_OF_VALUES = 0.6
