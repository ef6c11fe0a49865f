"""How many files of ours a reader enters who follows a call: the numbers only fall."""

import importlib.util
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "files_entered.py"
#: The most files for each call, which are the aims as well; `forward()` has the aim 18 where it repeats a plan.
MOST = {
    "Net(...) with weights": 35,
    "forward(), the first": 27,
    "forward()": 18,
    "forward(), exact engine": 18,
    "caffemodel to ONNX": 45,
    "LMDB record to batch": 14,
    "train": 60,
}


@pytest.mark.slow
def test_a_call_enters_few_files(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("files_entered", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    entered = {name: script.files_entered(call) for name, call in script.calls(tmp_path).items()}
    above = {name: files for name, files in entered.items() if len(files) > MOST[name]}
    assert not above, "join files that are read together, or import them only where they are used"
    assert list(entered) == list(MOST)
