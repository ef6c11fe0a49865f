"""A folder of good inputs, made once per process."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.reliability.command_inputs import make_command_inputs
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


@pytest.fixture(scope="session")
def good_command_inputs(good_inputs: Path) -> Path:
    """The same folder with the files that commands read, which take seconds to make."""
    before = Path.cwd()
    os.chdir(good_inputs)
    try:
        make_command_inputs()
    finally:
        os.chdir(before)
    return good_inputs


@contextmanager
def working_copy(good: Path) -> Iterator[Path]:
    """A fresh copy of the inputs, which is the current folder while the block runs; the log is silent."""
    work, before = good.with_name("work"), Path.cwd()
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(good, work)
    os.chdir(work)
    logger = logging.getLogger("caffe_compat")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield work
    finally:
        logger.setLevel(level)
        os.chdir(before)


@pytest.fixture
def inputs(good_inputs: Path) -> Iterator[Path]:
    """A fresh copy of the inputs, which is the current folder; the log is silent."""
    with working_copy(good_inputs) as work:
        yield work


@pytest.fixture
def command_inputs(good_command_inputs: Path) -> Iterator[Path]:
    """As `inputs`, with the files that commands read."""
    with working_copy(good_command_inputs) as work:
        yield work
