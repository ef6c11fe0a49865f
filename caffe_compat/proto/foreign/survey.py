"""Walks over a net's or solver's text and finds every word that the schema lacks.

protobuf's parser stops at the first such word. The walk goes on, so that one run tells all that is wrong with a file.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from google.protobuf.descriptor import Descriptor, FieldDescriptor

_TOKEN = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)
      |(?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
      |(?P<word>[A-Za-z_]\w*)
      |(?P<number>\.?[0-9](?:[eE][+-]|[\w.])*)
      |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
#: By message and field, the Caffe in which a layer has several of what is one here; it draws one of them per image.
REPEATED_ELSEWHERE = {("TransformationParameter", "resize_param"): "MobileNet-YOLO"}
_OPENING, _CLOSING, _QUOTES = "{<[", "}>]", "\"'"
_LAYERS = ("LayerParameter", "V1LayerParameter")


@dataclass(frozen=True)
class Token:
    """A word, number, string or sign, with its position in the text."""

    kind: str
    text: str
    start: int
    end: int


@dataclass
class LayerInText:
    """The layer at the present position; name and type are set once they have been read."""

    number: int
    name: str = ""
    type: str = ""


@dataclass(frozen=True)
class UnknownWord:
    """A field that its message lacks, or a value that its enum lacks.

    `[start, end)` is the field with its value, `place` where the unknown word begins. `given` is the number or word
    that an unknown field is set to, "" for a message or a list.
    """

    message: Descriptor
    field: str
    value: str
    start: int
    end: int
    place: int
    layer: LayerInText | None
    given: str = ""


@dataclass
class Survey:
    """The result: unknown words in order, and blanks between a minus and its number, which C++ allows."""

    unknown: list[UnknownWord] = field(default_factory=list)
    loose_signs: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class _Frame:
    """A message that the walk is inside; `repeated` is the message of a list `[{...}, {...}]` that is open."""

    message: Descriptor
    layer: LayerInText | None
    repeated: Descriptor | None = None
    seen: set[str] = field(default_factory=set)


def survey(text: str, message: Descriptor) -> Survey:
    """Returns all unknown words in a text that should hold `message`; ends early if the text is not in this format."""
    return _Walk(text, message).run()


def tokens(text: str) -> Iterator[Token]:
    """The text's words, numbers, strings and signs, without blanks and comments."""
    for found in _TOKEN.finditer(text):
        kind = found.lastgroup or "sign"
        if kind != "blank":
            yield Token(kind, found[0], found.start(), found.end())


class _Walk:
    """The state of one walk."""

    def __init__(self, text: str, message: Descriptor) -> None:
        self.tokens = list(tokens(text))
        self.frames = [_Frame(message, None)]
        self.at = 0
        self.layers = 0
        self.found = Survey()

    def run(self) -> Survey:
        """Walks to the end, or to a token that is not allowed at its position."""
        while self.at < len(self.tokens) and self._step(self.tokens[self.at]):
            pass
        return self.found

    def _step(self, token: Token) -> bool:
        frame = self.frames[-1]
        if token.kind == "word":
            return self._field(token, frame)
        self.at += 1
        if token.text in "}>":
            self.frames.pop()
            return bool(self.frames)
        if token.text == "]":
            frame.repeated = None
            return True
        if token.text in "{<" and frame.repeated is not None:
            self._enter(frame.repeated)
            return True
        return token.text in ",;"

    def _field(self, name: Token, frame: _Frame) -> bool:
        """Walks over `name`, an optional colon and the value, or into the value where it is a message."""
        value = self.at + 1 + (self._text(self.at + 1) == ":")
        known = frame.message.fields_by_name.get(name.text)
        again = name.text in frame.seen and (frame.message.name, name.text) in REPEATED_ELSEWHERE
        frame.seen.add(name.text)
        if known is None or again:
            end = _end_of_value(self.tokens, value)
            given = "".join(token.text for token in self.tokens[value:end] if token.kind != "string")
            self._unknown(frame, name, None, end, "" if given[:1] in _OPENING else given)
            return True
        if known.message_type is not None:
            return self._message(known.message_type, frame, value)
        return self._scalar(known, name, frame, value)

    def _message(self, message: Descriptor, frame: _Frame, value: int) -> bool:
        self.at = value + 1
        if self._text(value) == "[":
            frame.repeated = message
        elif self._text(value) in ("{", "<"):
            self._enter(message)
        else:
            return False
        return True

    def _enter(self, message: Descriptor) -> None:
        layer = self.frames[-1].layer
        if message.name in _LAYERS:
            self.layers += 1
            layer = LayerInText(self.layers)
        self.frames.append(_Frame(message, layer))

    def _scalar(self, known: FieldDescriptor, name: Token, frame: _Frame, value: int) -> bool:
        end = _end_of_value(self.tokens, value)
        held = self.tokens[value:end]
        for sign, number in itertools.pairwise(held):
            if sign.text == "-" and sign.end < number.start:
                self.found.loose_signs.append((sign.start, number.start))
        if known.enum_type is not None:
            for token in held:
                text = token.text.strip(_QUOTES)
                if token.kind == "string" or (token.kind == "word" and text not in known.enum_type.values_by_name):
                    self._unknown(frame, name, token, end)
        if frame.layer is not None and held and known.name in ("name", "type") and frame.message.name in _LAYERS:
            setattr(frame.layer, known.name, held[0].text.strip(_QUOTES))
        self.at = end
        return bool(held)

    def _unknown(self, frame: _Frame, name: Token, value: Token | None, end: int, given: str = "") -> None:
        stop, word = self.tokens[end - 1].end, value or name
        text = value.text.strip(_QUOTES) if value else ""
        self.found.unknown.append(
            UnknownWord(frame.message, name.text, text, name.start, stop, word.start, frame.layer, given)
        )
        self.at = end

    def _text(self, index: int) -> str:
        return self.tokens[index].text if index < len(self.tokens) else ""


def _end_of_value(tokens: Sequence[Token], start: int) -> int:
    """The index behind the value that begins at `start`: a block in brackets, strings in a row, or a number."""
    if start >= len(tokens):
        return len(tokens)
    if tokens[start].text in _OPENING:
        return _end_of_block(tokens, start)
    if tokens[start].kind == "string":
        return next((at for at in range(start, len(tokens)) if tokens[at].kind != "string"), len(tokens))
    if tokens[start].text in _CLOSING:
        return start
    return min(start + (2 if tokens[start].text == "-" else 1), len(tokens))


def _end_of_block(tokens: Sequence[Token], start: int) -> int:
    """The index behind the bracket that closes the one at `start`."""
    depth = 0
    for at in range(start, len(tokens)):
        if tokens[at].kind == "sign":
            depth += (tokens[at].text in _OPENING) - (tokens[at].text in _CLOSING)
        if not depth:
            return at + 1
    return len(tokens)
