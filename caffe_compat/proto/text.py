"""Parses protobuf's text format, with errors that name the cure, and formats messages as Caffe's users write them."""

import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, cast

import numpy as np
from google.protobuf import text_format
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.text_encoding import CEscape

from caffe_compat.errors import FormatError, some_of
from caffe_compat.proto.dialects.translate import missing_fields
from caffe_compat.proto.foreign.survey import UnknownWord, survey
from caffe_compat.proto.foreign.types import type_of_v1
from caffe_compat.proto.wire import is_repeated
from caffe_compat.proto.words import is_type_of_v1, left_out_in_words, of_another_file, problem, shortened, why_left_out

_LOG = logging.getLogger(__name__)

MessageType = TypeVar("MessageType", bound=Message)

#: What protobuf's parser puts before its words: `12:3 : ` and the line.
_CAUSE = re.compile(r"^\d+:\d+ : (?:'.*': )?", re.DOTALL)
#: Problems that one error explains, characters of all of them, and further words that it names.
MOST_PROBLEMS, MOST_CHARACTERS, MOST_OTHERS = 12, 700, 5
#: Characters of a line of the file that an error shows.
MOST_SHOWN = 80


def parse_text(text: str, message_type: type[MessageType], path: str = "<text>") -> MessageType:
    """Returns the message in a text.

    Fields of other Caffes that do not change predictions are left out, with one warning that lists them. FormatError
    lists all other unknown words with file, line, column and what to write instead.
    """
    message: MessageType = message_type()
    try:
        text_format.Parse(text, message)
    except text_format.ParseError:
        message = message_type()
        _parse_foreign(text, message, path)
    missing = missing_fields(message)
    if missing:
        more = f" and {len(missing) - MOST_PROBLEMS} more" if len(missing) > MOST_PROBLEMS else ""
        raise FormatError(f"{path}: {', '.join(missing[:MOST_PROBLEMS])}{more} must be set, as Caffe requires it")
    return message


def _parse_foreign(text: str, message: Message, path: str) -> None:
    """Parses a text that protobuf's parser refuses, after removing unknown words that do not matter."""
    found = survey(text, cast(Descriptor, message.DESCRIPTOR))
    of_v1 = [word for word in found.unknown if is_type_of_v1(word)]
    left_out = [word for word in found.unknown if word not in of_v1 and why_left_out(word)]
    wrong = [word for word in found.unknown if word not in of_v1 and word not in left_out]
    if wrong:
        raise FormatError(_problems(text, wrong, path))
    edits = [(word.start, word.end, f'type_of_another_caffe: "{type_of_v1(word.value)}"') for word in of_v1]
    edits += [(word.start, word.end, "\n" * text.count("\n", word.start, word.end)) for word in left_out]
    edits += [(start, end, " " * (end - start - 1) + "-") for start, end in found.loose_signs]
    mended = _edited(text, edits)
    try:
        text_format.Parse(mended, message)
    except text_format.ParseError as error:
        line, column = error.GetLine() or 0, error.GetColumn() or 0
        cause = _CAUSE.sub("", str(error)).rstrip(".").replace("caffe_compat.", "")
        raise FormatError(f"{path}:{line}:{column}: {shortened(cause, 200)}{_shown(mended, line)}") from error
    if left_out:
        _LOG.warning("%s: left out, as no prediction needs it: %s", path, left_out_in_words(left_out))


def _edited(text: str, edits: Sequence[tuple[int, int, str]]) -> str:
    """The text with every `[start, end)` exchanged; edits inside another edit do not happen."""
    parts, at = [], 0
    for start, end, new in sorted(edits):
        if start >= at:
            parts += [text[at:start], new]
            at = end
    return "".join([*parts, text[at:]])


def _problems(text: str, words: Sequence[UnknownWord], path: str) -> str:
    """A line per problem, as many as fit; a word that is wrong in many layers is one problem."""
    grouped: dict[tuple[str, str, str], list[UnknownWord]] = {}
    for word in of_another_file(words) or words:
        grouped.setdefault((word.message.name, word.field, word.value), []).append(word)
    lines: list[str] = []
    for same in grouped.values():
        line = _problem(text, same, path)
        if lines and (len(lines) == MOST_PROBLEMS or len(line) + sum(map(len, lines)) > MOST_CHARACTERS):
            break
        lines.append(line)
    others = [shortened(field, 20) for _, field, _ in list(grouped)[len(lines) :]]
    if others:
        lines.append(f"{path}: and {len(others)} more words like these: {some_of(others, MOST_OTHERS)}")
    return "\n".join(lines)


def _problem(text: str, same: Sequence[UnknownWord], path: str) -> str:
    place = same[0].place
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    return f"{path}:{line}:{column}: {problem(same)}{_shown(text, line)}"


def _shown(text: str, number: int) -> str:
    """The line that an error is about."""
    lines = text.splitlines()
    return f"; the line is '{shortened(lines[number - 1].strip(), MOST_SHOWN)}'" if 0 < number <= len(lines) else ""


def format_text(message: Message) -> str:
    """The message as text that every Caffe reads: one value per line, floats as short as float32 allows."""
    return "".join(f"{line}\n" for line in _lines(message))


def _lines(message: Message) -> Iterator[str]:
    present = {field.name: value for field, value in message.ListFields()}
    for field in message.DESCRIPTOR.fields:
        if field.name in present:
            value = present[field.name]
            for item in value if is_repeated(field) else [value]:
                yield from _item(field, item)


def _item(field: FieldDescriptor, value: Any) -> Iterator[str]:
    if field.message_type is None:
        yield f"{field.name}: {_scalar(field, value)}"
        return
    yield f"{field.name} {{"
    yield from (f"  {line}" for line in _lines(value))
    yield "}"


def _scalar(field: FieldDescriptor, value: Any) -> str:
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[value].name)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return f'"{CEscape(value, as_utf8=field.type == FieldDescriptor.TYPE_STRING)}"'
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return "true" if value else "false"
    if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
        return _float32(value)
    return str(value).removesuffix(".0")


def _float32(value: float) -> str:
    """Returns the number as Caffe's tools print it (0.0001, 1e-05), with the fewest digits, 6 to 9, that are exact."""
    texts = [f"{value:.{digits}g}" for digits in range(6, 10)]
    return next((text for text in texts if np.float32(text) == np.float32(value)), texts[0])
