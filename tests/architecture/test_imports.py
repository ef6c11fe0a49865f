"""Imports run one way; read from the syntax trees."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from caffe_compat.cli.start import COMMANDS, module_name

ROOT = Path(__file__).resolve().parents[2]

#: Packages that several lines below share: what reads files, what makes a net of them, what shows, and what trains.
FILES_ALONE = {"errors", "logs", "registry", "proto"}
NETS = FILES_ALONE | {"layers", "graph", "net"}
SHOWS = {"terminal", "pages"}
TRAINS = NETS | SHOWS | {"engine", "solvers", "convert"}
#: What each package of caffe_compat may import of caffe_compat, besides itself; `None` means everything.
MAY_IMPORT: dict[str, set[str] | None] = {
    "errors": set(),
    "cgroups": set(),
    "processors": {"cgroups"},
    "free_memory": {"cgroups"},
    "registry": {"errors"},
    "logs": {"errors"},
    "proto": {"errors", "logs"},
    "data": {"errors", "logs", "proto"},
    "layers": FILES_ALONE,
    "layers/data": FILES_ALONE | {"layers", "data"},
    "graph": FILES_ALONE | {"layers"},
    "net": FILES_ALONE | {"layers", "graph", "pages"},
    "engine": NETS | {"free_memory"},
    "solvers": NETS | SHOWS | {"engine"},
    "pycaffe": TRAINS | {"data"},
    "convert": NETS | SHOWS | {"data"},
    "parity": TRAINS | {"data", "srn"},
    "module": NETS | {"pages", "data", "engine", "convert", "runtimes"},
    "terminal": {"errors"},
    "pages": {"errors", "logs", "proto"},
    "view": NETS | SHOWS | {"convert"},
    "runtimes": NETS | {"engine", "convert"},
    "catalogue": {"errors", "proto", "data", "layers"},
    "srn": TRAINS | {"data"},
    "experiments": None,
    "cli": None,
}
#: Only the command line may import these.
ON_TOP = {"experiments", "cli"}
#: Imported by nobody; the package's own face and the program's entry.
ENTRIES = {"__init__", "__main__"}


def imports_of(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_of(file: Path) -> str:
    parts = file.relative_to(ROOT / "caffe_compat").with_suffix("").parts
    return "layers/data" if parts[:2] == ("layers", "data") else parts[0]


FILES = sorted(file for file in (ROOT / "caffe_compat").rglob("*.py") if not file.name.endswith("_pb2.py"))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_lies_below(package: str) -> None:
    below = MAY_IMPORT[package]
    known = {name.split("/")[0] for name in MAY_IMPORT}
    allowed = (known - ON_TOP if below is None else below) | {package.split("/")[0]}
    allowed |= ON_TOP if package == "cli" else set()
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in FILES
        if package_of(file) == package
        for name in imports_of(file)
        if name.startswith("caffe_compat.") and name.split(".")[1] not in allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("package", ["proto", "data/sources"])
def test_files_are_read_without_torch(package: str) -> None:
    files = (ROOT / "caffe_compat" / package).rglob("*.py")
    assert [file.name for file in files if any(name.split(".")[0] == "torch" for name in imports_of(file))] == []


#: Commands that run or read nets. All others begin without torch, whose import takes more than a second.
WITH_TORCH = {
    "convert", "demo", "device_query", "extract_features", "predict", "reproduce", "run", "summary", "test", "time",
    "train", "train-stages", "verify", "view", "visualize",
}  # fmt: skip


def test_commands_without_nets_begin_without_torch() -> None:
    quick = [module_name(command) for command in COMMANDS if command not in WITH_TORCH]
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    if 'torch' in sys.modules:\n"
        "        sys.exit(f'{name} imports torch')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *quick], cwd=ROOT, capture_output=True, text=True)
    assert len(quick) > 10
    assert (done.returncode, done.stderr) == (0, "")
    assert set(COMMANDS) > WITH_TORCH


def test_the_generator_needs_the_schema_and_the_free_memory_only() -> None:
    wrong = [
        f"{file.name} imports {name}"
        for file in (ROOT / "prototxt_gen").rglob("*.py")
        for name in imports_of(file)
        if name.startswith("caffe_compat") and name.split(".")[1:2] not in (["proto"], ["errors"], ["free_memory"], [])
    ]
    assert wrong == []


def test_nothing_imports_tools() -> None:
    packages = [*FILES, *(ROOT / "prototxt_gen").rglob("*.py")]
    assert [file for file in packages if any(name.split(".")[0] == "tools" for name in imports_of(file))] == []


def test_every_package_is_ruled() -> None:
    assert {package_of(file) for file in FILES} - ENTRIES <= set(MAY_IMPORT)


def test_only_experiments_and_the_command_line_import_the_generator() -> None:
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in FILES
        if package_of(file) not in ON_TOP
        for name in imports_of(file)
        if name.split(".")[0] == "prototxt_gen"
    ]
    assert wrong == []
