"""Nothing that is read can run code: an audit of the source, and of how the program starts."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOTS = ("caffe_compat", "prototxt_gen", "tools")
#: Calls that run what they are given, or make files that others can reach; where each is allowed, and why.
FORBIDDEN = ("eval", "exec", "compile", "pickle.load", "pickle.loads", "pickle.Unpickler", "marshal.loads", "yaml.load",
             "os.system", "os.popen", "tempfile.mktemp", "__import__")  # fmt: skip
ALLOWED = {
    # Runs a script that the user names: it is the purpose of the command, and README says that a script is trusted.
    ("caffe_compat/cli/commands/run.py", "exec"),
    ("caffe_compat/cli/commands/run.py", "compile"),
    ("caffe_compat/cli/python_2.py", "compile"),
    ("caffe_compat/cli/translation.py", "compile"),  # to see whether a translated script is Python
}
WORDS = re.compile(r"\b(eval|exec|compile|pickle|marshal|yaml|system|popen|mktemp|__import__|load|shell)\b")
#: Readers that run code unless they are told not to.
GUARDED = {"np.load": ("allow_pickle", False), "torch.load": ("weights_only", True)}


def calls(file: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a file with its dotted name."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node


def dotted(function: ast.expr) -> str:
    """`np.load` of its syntax tree; "" for what is no name."""
    if isinstance(function, ast.Attribute):
        return f"{dotted(function.value)}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


@pytest.mark.parametrize("root", ROOTS)
def test_no_reader_runs_code(root: str) -> None:
    for file in sorted((ROOT / root).rglob("*.py")):
        if WORDS.search(file.read_text()):
            require_safe(file)


def require_safe(file: Path) -> None:
    """AssertionError that names the call which could run code."""
    name = file.relative_to(ROOT).as_posix()
    for called, call in calls(file):
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        assert called not in FORBIDDEN or (name, called) in ALLOWED, f"{name}:{call.lineno} calls {called}"
        assert "shell" not in keywords, f"{name}:{call.lineno} starts a shell"
        if called in GUARDED:
            keyword, safe = GUARDED[called]
            value = keywords.get(keyword)
            assert isinstance(value, ast.Constant), f"{name}:{call.lineno}: {called} without {keyword}={safe}"
            assert value.value is safe, f"{name}:{call.lineno}: {called} without {keyword}={safe}"


def test_every_dependency_is_pinned() -> None:
    lines = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    assert [line for line in lines if line and "==" not in line] == []


@pytest.mark.slow
def test_the_current_folder_is_no_source_of_modules(tmp_path: Path) -> None:
    for module in ("torch", "numpy", "cv2", "json", "random"):
        (tmp_path / f"{module}.py").write_text("import pathlib\npathlib.Path('ran').touch()\n")
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "caffe_compat", "train", "--solver=none.prototxt"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "none.prototxt: no such file" in done.stderr
    assert not (tmp_path / "ran").exists()
