"""Python 2 translated: what changes, and what must not."""

import numpy as np
import pytest

from caffe_compat.cli.translation import DIVIDE, DIVIDE_IN_PLACE, compile_script, divide, divide_in_place


def run(source: str) -> dict[str, object]:
    scope: dict[str, object] = {DIVIDE: divide, DIVIDE_IN_PLACE: divide_in_place}
    exec(compile_script(source, "script.py"), scope)
    return scope


def test_division_is_python_2s_where_the_script_is() -> None:
    source = "print 'old'\na = 7 / 2\nb = 7 / 2.\nc = [9, 9.]\nc[0] /= 2\nc[1] /= 2\nd = -7 / 2\ne = 2 * (5 / 3) / 1"
    scope = run(source)
    assert [scope[name] for name in "abcde"] == [3, 3.5, [4, 4.5], -4, 2]


def test_division_is_as_it_is_written_elsewhere() -> None:
    assert run("a = 7 / 2")["a"] == 3.5
    assert run("from __future__ import division\nprint 'old'\na = 7 / 2")["a"] == 3.5


def test_arrays_are_divided_in_their_own_memory() -> None:
    pixels, whole = np.array([255.0, 51.0]), np.array([7, 8])
    assert divide_in_place(pixels, 255) is pixels
    np.testing.assert_allclose(pixels, [1, 0.2])
    np.testing.assert_array_equal(np.asarray(divide(whole, 2)), [3, 4])
    assert divide(np.int64(7), 2) == 3


def test_names_and_methods_of_python_2(capsys: pytest.CaptureFixture[str]) -> None:
    scope = run("import cPickle\nd = {'a': 1}\nk = d.keys()[0]\nprint >>None, k, d.has_key('b')\nb = map(str, [1])[0]")
    assert (scope["k"], scope["b"]) == ("a", "1")
    captured = capsys.readouterr()
    assert captured.out == "a False\n"
    assert captured.err == "script.py: this is Python 2; it runs as translated to Python 3, the file stays as it is\n"


@pytest.mark.parametrize("source", ["a = (", "print 'a' 'b", "def f(:\n  pass", "class"])
def test_python_of_no_version_keeps_its_own_error(source: str) -> None:
    with pytest.raises(SyntaxError):
        compile_script(source, "script.py")
