import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "create_label_lmdb.py"


def test_the_database_is_made_once(tmp_path):
    (tmp_path / "labels.txt").write_text("1 0 1\n0 0 1\n")
    (tmp_path / "list.txt").write_text("a.jpg 2\nb.jpg 1\n")
    command = [sys.executable, TOOL, tmp_path / "labels.txt", tmp_path / "list.txt", tmp_path / "lmdb"]

    first, second = (subprocess.run(command, capture_output=True, text=True) for _ in range(2))

    assert (first.returncode, first.stdout) == (0, "Total # of item in label lmdb: 2\n")
    assert second.returncode == 1
    assert second.stderr == (
        f"create_label_lmdb.py: {tmp_path / 'lmdb'}: exists already; remove it or name another place\n"
    )
