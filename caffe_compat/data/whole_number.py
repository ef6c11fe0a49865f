"""Parses numbers of lists and window files, which Caffe reads as int32."""

_SMALLEST, _LARGEST = -(2**31), 2**31 - 1


def int32(text: str) -> int:
    """A whole number of 32 bits; ValueError, quoting at most 40 characters, for any other text."""
    if len(text) > 11:
        raise ValueError(f"expected a whole number of 32 bits, found {text[:40]!a}")
    number = int(text)
    if not _SMALLEST <= number <= _LARGEST:
        raise ValueError(f"expected a whole number of 32 bits, found {number}")
    return number
