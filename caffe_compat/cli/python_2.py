"""What scripts of Python 2 and of old NumPy need while they run: names that only moved, and hints for other errors.

Their syntax is the matter of `translation`.
"""

import builtins
import functools
import importlib
import re
import sys

import numpy as np

#: Builtins of Python 2 and what they are called now.
BUILTINS = {
    "basestring": str,
    "long": int,
    "raw_input": input,
    "reduce": functools.reduce,
    "unichr": chr,
    "unicode": str,
    "xrange": range,
}
#: Modules of Python 2 and where they are now.
MODULES = {
    "ConfigParser": "configparser",
    "Queue": "queue",
    "StringIO": "io",
    "__builtin__": "builtins",
    "cPickle": "pickle",
    "cStringIO": "io",
    "urllib2": "urllib.request",
}
#: Types that NumPy up to 1.23 had as names of Python's own.
NUMPY_TYPES = {"float": float, "int": int, "object": object}

METHODS = ("iteritems", "iterkeys", "itervalues", "has_key")
DIFFERENCES = "print, except, division and dict methods have changed: convert the script once with 2to3"
VIEWS = "dictionaries, map, filter and zip no longer give lists: write list(net.blobs.items())[0]"
#: Messages of errors that only code of Python 2 or of old NumPy gives, and the cure.
MESSAGES = (
    (r"'(o?dict_(items|keys|values)|map|filter|zip)' object is not subscriptable", VIEWS),
    (r"object of type '(map|filter|zip)' has no len\(\)", VIEWS),
    (r"'dict_keys' object has no attribute 'sort'", "a dictionary's keys are no list any more: write sorted(d)"),
    (r"unsupported operand type\(s\) for >>: 'builtin_function_or_method'", DIFFERENCES),
    (
        r"'float' object cannot be interpreted as an integer|indices must be integers",
        "/ gives a float since Python 3: write // for whole numbers",
    ),
    (
        r"only 0-dimensional arrays can be converted|setting an array element with a sequence",
        "an array of one value is no number any more: write blob.data.item(), or blob.data[0]",
    ),
)


def offer_old_names() -> None:
    """Makes names of Python 2 and old NumPy known in this process."""
    for name, value in BUILTINS.items():
        builtins.__dict__.setdefault(name, value)
    for old, new in MODULES.items():
        sys.modules.setdefault(old, importlib.import_module(new))
    for name, kind in NUMPY_TYPES.items():
        np.__dict__.setdefault(name, kind)


def python_2_hint(error: Exception) -> str | None:
    """Returns what to do about an error that code of Python 2 causes; None for any other error."""
    if isinstance(error, AttributeError) and error.name in METHODS:
        return f".{error.name}() is Python 2's; {DIFFERENCES}"
    return next((cure for pattern, cure in MESSAGES if re.search(pattern, str(error))), None)
