"""Every shell and Python block of README and docs runs, or says why it cannot.

A block that needs what nobody has here stands below a comment: `<!-- not run: needs the images of MS-COCO -->`. The
blocks of one page run in its order, in one folder that holds this repository's files.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, ROOT, RUN, SHOWN, Block, blocks_of

#: What a page finds in the folder where its blocks run.
LINKED = ("tests", "tools", "docs", "benchmarks", "caffe_compat", "prototxt_gen", "requirements.txt", "pyproject.toml")
SECONDS = 900


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_has_a_language_and_every_reason_a_block(page: Path) -> None:
    blocks = blocks_of(page)
    assert [str(block) for block in blocks if block.language not in (*RUN, *SHOWN)] == []
    assert len(re.findall("^<!-- not run: ", page.read_text(), re.MULTILINE)) == sum(
        bool(block.reason) for block in blocks
    )
    assert [str(block) for block in blocks if block.reason and block.language not in RUN] == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder like a fresh clone, whose models may be written to, with caffe-compat on the path."""
    for name in LINKED:
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "models", tmp_path / "models")
    program = tmp_path / ".bin" / "caffe-compat"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m caffe_compat "$@"\n')
    program.chmod(0o755)
    return tmp_path


def run(block: Block, folder: Path) -> None:
    path = os.pathsep.join([str(folder / ".bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        block.command(), cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{block}\n{block.body}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr, block


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(b.is_run for b in blocks_of(page))], ids=lambda p: p.name
)
def test_the_blocks_of_a_page_run(page: Path, folder: Path) -> None:
    for block in blocks_of(page):
        if block.is_run:
            run(block, folder)
