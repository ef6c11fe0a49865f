"""A folder of good inputs, made once per process."""

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.reliability.inputs import make_inputs


@pytest.fixture(scope="session")
def good_inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder as `make_inputs` leaves it; its lists name files in "work" beside it."""
    folder = tmp_path_factory.mktemp("inputs") / "good"
    folder.mkdir()
    before = Path.cwd()
    os.chdir(folder)
    try:
        make_inputs(folder.with_name("work"))
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def inputs(good_inputs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh copy of the inputs, which is the current folder; the log is silent."""
    work = good_inputs.with_name("work")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(good_inputs, work)
    monkeypatch.chdir(work)
    logger = logging.getLogger("caffe_compat")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    yield work
    logger.setLevel(level)
