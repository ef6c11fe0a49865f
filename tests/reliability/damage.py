"""Damages a file as disks, copies and strangers do: bytes, cuts, numbers in text, pieces repeated or exchanged."""

import random
import re
from collections.abc import Callable

#: Numbers that break readers: signs, limits of types, no numbers.
NUMBERS = (
    *(b"0", b"-1", b"1", b"4096", b"2147483647", b"-2147483648", b"4294967296", b"9223372036854775807", b"3000000000"),
    *(b"1e38", b"1e400", b"nan", b"inf", b"-0.0", b"1e-46", b"99999999999999999999", b"0.5", b""),
)
WORDS = (b"../../etc/passwd", b"/dev/zero", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"A" * 5000, b"%s%n", b"{", b"}")

Damage = Callable[[bytes, random.Random], bytes]


def flip(content: bytes, draw: random.Random) -> bytes:
    """Other bits in some bytes."""
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def overwrite(content: bytes, draw: random.Random) -> bytes:
    """Extreme bytes in one place, most often near the start, where headers are."""
    place = draw.randrange(min(len(content), draw.choice((64, 512, len(content)))))
    piece = draw.choice((b"\xff" * 4, b"\x00" * 8, b"\xff" * 8, b"\x7f\xff\xff\xff", b"\x80", draw.randbytes(16)))
    return content[:place] + piece + content[place + len(piece) :]


def cut(content: bytes, draw: random.Random) -> bytes:
    """The file ends early."""
    return content[: draw.randrange(len(content))]


def remove(content: bytes, draw: random.Random) -> bytes:
    """A piece is missing."""
    start = draw.randrange(len(content))
    return content[:start] + content[start + draw.randrange(1, 200) :]


def repeat(content: bytes, draw: random.Random) -> bytes:
    """A piece stands there again."""
    start = draw.randrange(len(content))
    end = start + draw.randrange(1, 400)
    return content[:end] + content[start:end] * draw.choice((1, 3, 50)) + content[end:]


def number(content: bytes, draw: random.Random) -> bytes:
    """Another number in a text."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", content))
    if not found:
        return flip(content, draw)
    match = draw.choice(found)
    return content[: match.start()] + draw.choice(NUMBERS) + content[match.end() :]


def word(content: bytes, draw: random.Random) -> bytes:
    """Another word in a text."""
    found = list(re.finditer(rb"[A-Za-z_.]{2,}", content))
    if not found:
        return overwrite(content, draw)
    match = draw.choice(found)
    other = draw.choice((*WORDS, draw.choice(found)[0], draw.choice(found)[0]))
    return content[: match.start()] + other + content[match.end() :]


def other(content: bytes, draw: random.Random) -> bytes:
    """Nothing, or something else altogether."""
    return draw.choice(
        (b"", b"\x00" * 100, draw.randbytes(300), b"[" * 100_000, b"\x89PNG\r\n\x1a\n" + draw.randbytes(50))
    )


ALL: tuple[Damage, ...] = (
    flip,
    flip,
    overwrite,
    overwrite,
    cut,
    remove,
    repeat,
    number,
    number,
    number,
    word,
    word,
    other,
)


def damaged(content: bytes, draw: random.Random) -> bytes:
    """One kind of damage, or two."""
    for _ in range(draw.choice((1, 1, 1, 2))):
        content = draw.choice(ALL)(content, draw) if content else content
    return content
