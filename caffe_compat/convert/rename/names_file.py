"""Reads new names from a user's file."""

import json

from caffe_compat.convert.rename.role_names import RoleNames
from caffe_compat.errors import FormatError
from caffe_compat.proto.file_bytes import read_bytes


def read_names(path: str) -> RoleNames:
    """Returns the new names in a file: a JSON object {old: new}, or lines `old new` where # starts a comment.

    Each name applies to layers and blobs. FormatError for any other content.
    """
    try:
        text = read_bytes(path, "a file of names").decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: expected a file of names, cannot read it: {error}") from error
    names = _from_json(path, text) if text.lstrip().startswith("{") else _from_lines(path, text)
    if not names:
        raise FormatError(f"{path}: expected old and new names, found none; write lines 'old new'")
    return RoleNames(names, dict(names))


def _from_json(path: str, text: str) -> dict[str, str]:
    try:
        content = json.loads(text, object_pairs_hook=lambda pairs: pairs)
    except (json.JSONDecodeError, RecursionError) as error:
        raise FormatError(f"{path}: expected a JSON object of old and new names, found bad JSON: {error}") from error
    names: dict[str, str] = {}
    for old, new in content:
        if not (isinstance(new, str) and new):
            raise FormatError(f"{path}: expected a string as the new name of '{old}', found {json.dumps(new)}")
        if old in names:
            raise FormatError(f"{path}: '{old}' has a new name already, '{names[old]}'")
        names[old] = new
    return names


def _from_lines(path: str, text: str) -> dict[str, str]:
    names: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if words and len(words) != 2:
            raise FormatError(f"{path}: line {number}: expected an old and a new name, found {len(words)} words")
        if words and words[0] in names:
            raise FormatError(f"{path}: line {number}: '{words[0]}' has a new name already, '{names[words[0]]}'")
        names |= dict([words]) if words else {}
    return names
