"""Python 2 scripts and modules, translated in memory by fissix (lib2to3's successor); no file is changed."""

import ast
import builtins
import copy
import importlib.util
import operator
import re
import sys
from collections.abc import Callable
from functools import cache
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from types import CodeType

import numpy as np
from fissix.pgen2.parse import ParseError
from fissix.pgen2.tokenize import TokenError
from fissix.refactor import RefactoringTool, get_fixers_from_package

#: The names under which translated code finds `divide` and `divide_in_place`.
DIVIDE, DIVIDE_IN_PLACE = "__divide_as_python_2__", "__divide_in_place_as_python_2__"
FUTURE_DIVISION = re.compile(r"^from __future__ import .*\bdivision\b", re.MULTILINE)
LEADING_SPACE = re.compile(r"^[ \t]+", re.MULTILINE)


def compile_script(source: str, name: str) -> CodeType:
    """The code of a script or module; Python 2 is translated, which is said once per file on stderr.

    Raises the SyntaxError of the source where it is Python neither of 2 nor of 3.
    """
    return compile(_tree(source, name), name, "exec", dont_inherit=True)


def _tree(source: str, name: str) -> ast.Module:
    try:
        tree = ast.parse(source, name)
    except SyntaxError:
        translated = _translate(source, name)
        if translated is None:
            raise
        return translated
    is_old = any(map(_is_old_print, ast.walk(tree)))
    return (_translate(source, name) if is_old else None) or tree


def offer_old_division() -> None:
    """Makes the functions that translated code calls for `/` and `/=` known in this process."""
    builtins.__dict__.update({DIVIDE: divide, DIVIDE_IN_PLACE: divide_in_place})


def divide(left: object, right: object) -> object:
    """`left / right` as Python 2 has it: of whole numbers, and of arrays of those, the quotient rounded down."""
    return (operator.floordiv if _are_whole(left, right) else operator.truediv)(left, right)


def divide_in_place(left: object, right: object) -> object:
    """`left /= right` as Python 2 has it; an array keeps its memory."""
    change: Callable[[object, object], object] = operator.ifloordiv if _are_whole(left, right) else operator.itruediv
    return change(left, right)


def _are_whole(*numbers: object) -> bool:
    return all(
        isinstance(number, int | np.integer) or (isinstance(number, np.ndarray) and number.dtype.kind in "iub")
        for number in numbers
    )


def _is_old_print(node: ast.AST) -> bool:
    """Whether this is `print >> file`, which is no error before it runs."""
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.RShift)
        and isinstance(node.left, ast.Name)
        and node.left.id == "print"
    )


def _translate(source: str, name: str) -> ast.Module | None:
    """Returns the syntax tree of the source as Python 3; None where the source is not Python 2."""
    with_spaces = LEADING_SPACE.sub(lambda space: space[0].expandtabs(8), source)
    try:
        text = str(_tool().refactor_string(f"{with_spaces}\n", name))
        tree = ast.parse(text, name)
    except (ParseError, TokenError, SyntaxError):
        return None
    if not FUTURE_DIVISION.search(source):
        OldDivision().visit(tree)
    print(f"{name}: this is Python 2; it runs as translated to Python 3, the file stays as it is", file=sys.stderr)
    return ast.fix_missing_locations(tree)


@cache
def _tool() -> RefactoringTool:
    return RefactoringTool(get_fixers_from_package("fissix.fixes"))


class OldDivision(ast.NodeTransformer):
    """Replaces `/` and `/=` by calls of `divide` and `divide_in_place`.

    2to3 leaves division alone, and a script would compute other numbers.
    """

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """Replaces a division within an expression."""
        self.generic_visit(node)
        return _call(DIVIDE, node.left, node.right, node) if isinstance(node.op, ast.Div) else node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        """Replaces a division in place, `a /= b`."""
        self.generic_visit(node)
        if not isinstance(node.op, ast.Div):
            return node
        value = copy.deepcopy(node.target)
        value.ctx = ast.Load()
        return ast.copy_location(ast.Assign([node.target], _call(DIVIDE_IN_PLACE, value, node.value, node)), node)


def _call(function: str, left: ast.expr, right: ast.expr, place: ast.AST) -> ast.Call:
    return ast.copy_location(ast.Call(ast.Name(function, ast.Load()), [left, right], []), place)


class Loader(SourceFileLoader):
    """Loads a module from source, translated where it is Python 2."""

    def get_code(self, fullname: str) -> CodeType:
        """Returns the code of a module, always from its source.

        Bytecode files are left alone: another Python would take translated bytecode for the source's own.
        """
        path = self.get_filename(fullname)
        return compile_script(importlib.util.decode_source(self.get_data(path)), path)


def finder_for(folder: str) -> Callable[[str], FileFinder]:
    """Returns a path hook that finds modules in `folder` and below, those of Python 2 included."""
    root = Path(folder).resolve()
    loaders = [
        (ExtensionFileLoader, EXTENSION_SUFFIXES), (Loader, SOURCE_SUFFIXES), (SourcelessFileLoader, BYTECODE_SUFFIXES),
    ]  # fmt: skip

    def find(path: str) -> FileFinder:
        if not Path(path).resolve().is_relative_to(root) or Path(path).resolve().is_relative_to(sys.prefix):
            raise ImportError(path)
        return FileFinder(path, *loaders)

    return find
