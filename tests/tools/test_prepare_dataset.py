import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "prepare_dataset.py"


def prepare(*arguments):
    return subprocess.run([sys.executable, TOOL, *map(str, arguments)], capture_output=True, text=True)


def test_scenes(tmp_path):
    numbers = ("--train", 4, "--val", 2, "--test", 3)
    done = prepare("scenes", "--out", tmp_path / "new" / "scenes", "--control", "--seed", 1, *numbers)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"wrote 4 train, 2 val, 3 test scenes to {tmp_path / 'new' / 'scenes'}\n"
    assert (tmp_path / "new" / "scenes" / "val_label_lmdb" / "data.mdb").exists()


def test_errors_are_one_line(tmp_path):
    done = prepare("scenes", "--out", tmp_path)

    assert (done.returncode, done.stderr) == (
        1, f"prepare_dataset.py: {tmp_path}: exists already; remove it or name another place\n",
    )  # fmt: skip
