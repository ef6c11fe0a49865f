"""Names of Python 2 and old NumPy, and hints."""

import builtins
import sys
from typing import Any

import numpy as np
import pytest

from caffe_compat.cli import python_2
from caffe_compat.cli.python_2 import offer_old_names, python_2_hint


@pytest.fixture
def without_old_names():
    """Takes away afterwards what was offered."""
    before = [(place, dict(place)) for place in (builtins.__dict__, np.__dict__, sys.modules)]
    yield
    for place, contents in before:
        for name in set(place) - set(contents):
            del place[name]


@pytest.mark.usefixtures("without_old_names")
def test_old_names_work() -> None:
    offer_old_names()
    scope: dict[str, Any] = {}
    exec(
        "import cPickle, StringIO, numpy\n"
        "result = [list(xrange(2)), isinstance('a', basestring), cPickle.loads(cPickle.dumps(3)), numpy.float(2)]",
        scope,
    )
    assert scope["result"] == [[0, 1], True, 3, 2.0]


@pytest.mark.usefixtures("without_old_names")
def test_names_that_are_there_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "Queue", python_2)
    offer_old_names()
    assert sys.modules["Queue"] is python_2


def error_of(code: str) -> Exception:
    try:
        exec(compile(code, "script.py", "exec"), {})
    except Exception as error:
        return error
    raise AssertionError(code)


def test_methods_of_python_2_are_recognised() -> None:
    assert (python_2_hint(error_of("{}.iteritems()")) or "").startswith(".iteritems() is Python 2's; ")


@pytest.mark.parametrize("code", ["a = (", "1 / 0", "[].foo()", "import nothing_of_this_name"])
def test_other_errors_get_no_hint(code: str) -> None:
    assert python_2_hint(error_of(code)) is None


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        ("from collections import OrderedDict; OrderedDict(a=1).items()[0]", "list(net.blobs.items())[0]"),
        ("{}.keys()[0]", "list(net.blobs.items())[0]"),
        ("map(str, [1])[0]", "list(net.blobs.items())[0]"),
        ("len(filter(None, [1]))", "list(net.blobs.items())[0]"),
        ("{}.keys().sort()", "sorted(d)"),
        ("import sys; print >>sys.stderr, 'a'", "2to3"),
        ("range(3 / 2)", "// for whole numbers"),
        ("[1, 2][2 / 2]", "// for whole numbers"),
        ("[1, 2][:2 / 2]", "// for whole numbers"),
        ("import numpy; numpy.zeros(3)[0] = numpy.zeros((1, 2))", ".item()"),
    ],
)
def test_errors_of_old_idioms_name_the_cure(code: str, cure: str) -> None:
    assert cure in (python_2_hint(error_of(code)) or "")
