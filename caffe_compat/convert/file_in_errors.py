"""Errors about layers say whose file the layer is in."""

from collections.abc import Iterator
from contextlib import contextmanager

from caffe_compat.errors import CaffeError, prefix_file


@contextmanager
def file_in_errors(source: str, *others: str | None) -> Iterator[None]:
    """Puts the source in front of errors that begin with none of these files."""
    try:
        yield
    except CaffeError as error:
        if str(error).startswith(tuple(str(file) for file in (source, *others) if file is not None)):
            raise
        raise prefix_file(error, source) from error
