"""Adds the name of the file to errors about layers."""

from collections.abc import Iterator
from contextlib import contextmanager

from caffe_compat.errors import CaffeError, prefix_file


@contextmanager
def file_in_errors(source: str, *others: str | None) -> Iterator[None]:
    """Puts the name of the source in front of CaffeErrors whose messages do not begin with one of these files."""
    try:
        yield
    except CaffeError as error:
        if str(error).startswith(tuple(str(file) for file in (source, *others) if file is not None)):
            raise
        raise prefix_file(error, source) from error
