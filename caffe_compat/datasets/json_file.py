"""JSON files of annotations, with errors that name the file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from caffe_compat.errors import DataError, FormatError


def read_json(path: Path, each_object: Callable[[dict[str, Any]], Any] | None = None) -> Any:
    """A file's content; `each_object` may replace every object as soon as it is parsed, to keep memory small.

    Raises DataError if it cannot be read and FormatError if it is not JSON.
    """
    try:
        with path.open(encoding="utf-8") as file:
            return json.load(file, object_hook=each_object)
    except OSError as error:
        raise DataError(f"{path}: cannot read the annotations ({error.strerror}); check the path") from error
    except ValueError as error:
        raise FormatError(f"{path}: expected JSON, found {error}; was the download cut short?") from error


def member(path: Path, content: Any, name: str) -> Any:
    """A member of the outermost object; raises FormatError if there is none."""
    if not isinstance(content, dict) or name not in content:
        found = ", ".join(content) if isinstance(content, dict) else type(content).__name__
        raise FormatError(f"{path}: expected a member '{name}', found {found or 'none'}; this is another kind of file")
    return content[name]
