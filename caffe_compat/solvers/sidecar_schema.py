"""The shape of a .resume.json, checked before anything of it is used: a file may be damaged, or another program's."""

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from caffe_compat.errors import FormatError
from caffe_compat.proto.file_bytes import read_bytes
from caffe_compat.solvers.learning_rate import Schedule

#: Far above any sidecar: 20 kB per process.
_MOST_BYTES = 2**28
#: Places in the data and seeds; sums of several still fit 64 bits.
_LARGEST_PLACE, _LARGEST_SEED = 2**48, 2**63
_NUMPY_WORDS, _PYTHON_WORDS = 624, 625

Check = Callable[[Any], str | None]


class _MismatchError(Exception):
    """What is wrong, and where; leaves this file as a FormatError."""


def read_sidecar_file(path: Path) -> dict[str, Any]:
    """The content of a .resume.json; FormatError says what is wrong in it, and how to go on without the file."""
    try:
        content: dict[str, Any] = _parse(read_bytes(path, "what this program writes beside a .solverstate"))
        _check_keys(content, "the file", {"weights_sha256", "solver", "schedule", "processes"}, {"state_sha256"})
        _check("weights_sha256", content["weights_sha256"], _is_checksum)
        _check("state_sha256", content.get("state_sha256", "0" * 64), _is_checksum)
        _check("solver", content["solver"], _is_text)
        _check_schedule(content["schedule"])
        _check("processes", content["processes"], _is_list)
        for number, process in enumerate(content["processes"]):
            _check_process(process, f"processes[{number}]")
    except _MismatchError as mismatch:
        raise sidecar_error(path, str(mismatch)) from mismatch
    return content


def sidecar_error(path: Path, found: str) -> FormatError:
    """The error for a sidecar that cannot be used."""
    return FormatError(
        f"{path}: expected what this program writes beside a .solverstate, found something else ({found}); "
        "remove the file to resume with the place in the data and random states anew"
    )


def check_layer_state(path: Path, layer: str, found: Any, known: dict[str, Any]) -> None:
    """FormatError unless `found` has the entries and kinds of `known`, which is the layer's state of this moment.

    A layer that has no state before its first pass checks what it is given by itself.
    """
    place = f"the state of layer '{layer}'"
    if not known:
        return
    try:
        _check_keys(found, place, set(known))
        for name, value in known.items():
            _check(f"{place}: {name}", found[name], _like(name, value))
    except _MismatchError as mismatch:
        raise sidecar_error(path, str(mismatch)) from mismatch


def _parse(content: bytes) -> Any:
    if len(content) > _MOST_BYTES:
        raise _MismatchError(f"{len(content)} bytes")
    try:
        return json.loads(content)
    except RecursionError as error:
        raise _MismatchError("JSON that is nested too deep") from error
    except ValueError as error:
        raise _MismatchError(str(error)[:200]) from error


def _check(place: str, value: Any, check: Check) -> None:
    wrong = check(value)
    if wrong:
        raise _MismatchError(f"{place}: expected {wrong}, found {_shown(value)}")


def _check_keys(value: Any, place: str, wanted: set[str], possible: "set[str] | frozenset[str]" = frozenset()) -> None:
    _check(place, value, _is_object)
    for name in sorted(wanted - set(value)):
        raise _MismatchError(f"{place} has no '{name}'")
    for name in sorted(set(value) - wanted - possible):
        raise _MismatchError(f"{place} has an unknown {_shown(name)}")


def _check_schedule(schedule: Any) -> None:
    _check_keys(schedule, "schedule", {field.name for field in fields(Schedule)})
    for name, value in schedule.items():
        _check(f"schedule: {name}", value, _is_number if isinstance(getattr(Schedule(), name), float) else _is_place)


def _check_process(process: Any, place: str) -> None:
    _check_keys(process, place, {"random", "layers"})
    random = process["random"]
    _check_keys(random, f"{place}.random", {"torch", "numpy", "python"}, {"cuda"})
    for name, check in _RANDOM.items():
        if name in random:
            _check(f"{place}.random.{name}", random[name], check)
    _check(f"{place}.layers", process["layers"], _is_list)
    for states in process["layers"]:
        _check(f"{place}.layers", states, _is_object)
        for state in states.values():
            _check(f"{place}.layers", state, _is_object)


def _is_object(value: Any) -> str | None:
    return None if isinstance(value, dict) else "an object"


def _is_list(value: Any) -> str | None:
    return None if isinstance(value, list) else "a list"


def _is_text(value: Any) -> str | None:
    return None if isinstance(value, str) else "text"


def _is_checksum(value: Any) -> str | None:
    return None if isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) else "a SHA-256 checksum"


def _is_whole(value: Any, largest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < largest


def _is_place(value: Any) -> str | None:
    return None if _is_whole(value, _LARGEST_PLACE) else f"a whole number from 0 to {_LARGEST_PLACE - 1}"


def _is_number(value: Any) -> str | None:
    return None if isinstance(value, int | float) and not isinstance(value, bool) else "a number"


def _is_base64(value: Any) -> str | None:
    try:
        return None if isinstance(value, str) and base64.b64decode(value, validate=True) else "bytes in base64"
    except (binascii.Error, ValueError):
        return "bytes in base64"


def _is_numpy_state(value: Any) -> str | None:
    wrong = f'["MT19937", {_NUMPY_WORDS} words, place, 0 or 1, number]'
    if not (isinstance(value, list) and len(value) == 5 and value[0] == "MT19937" and isinstance(value[1], list)):
        return wrong
    _, words, place, has_gauss, gauss = value
    whole = len(words) == _NUMPY_WORDS and all(_is_whole(word, 2**32) for word in words)
    rest = _is_whole(place, _NUMPY_WORDS + 1) and _is_whole(has_gauss, 2) and _is_number(gauss) is None
    return None if whole and rest and math.isfinite(gauss) else wrong


def _is_python_state(value: Any) -> str | None:
    wrong = f"[3, {_PYTHON_WORDS} words, number or null]"
    if not (isinstance(value, list) and len(value) == 3 and value[0] == 3 and isinstance(value[1], list)):
        return wrong
    words, gauss = value[1], value[2]
    whole = len(words) == _PYTHON_WORDS and all(_is_whole(word, 2**32) for word in words)
    in_range = whole and words[-1] < _PYTHON_WORDS
    return None if in_range and (gauss is None or _is_number(gauss) is None) else wrong


_RANDOM: dict[str, Check] = {
    "torch": _is_base64,
    "cuda": _is_base64,
    "numpy": _is_numpy_state,
    "python": _is_python_state,
}


def _like(name: str, known: Any) -> Check:
    """The check for an entry of a layer's state, from a value that it can have."""
    if isinstance(known, int):
        largest = _LARGEST_SEED if "seed" in name else _LARGEST_PLACE
        return lambda value: None if _is_whole(value, largest) else f"a whole number from 0 to {largest - 1}"
    if isinstance(known, list):
        return lambda value: _unlike(value, known)
    return lambda value: None if isinstance(value, type(known)) else type(known).__name__


def _unlike(value: Any, known: Any) -> str | None:
    """Nested lists of numbers, such as arrays, must have the known lengths."""
    if not isinstance(known, list):
        return _is_number(value)
    if not isinstance(value, list) or len(value) != len(known):
        return f"a list of {len(known)}"
    return next((wrong for one, other in zip(value, known, strict=True) if (wrong := _unlike(one, other))), None)


def _shown(value: Any) -> str:
    return ascii(value)[:60]
