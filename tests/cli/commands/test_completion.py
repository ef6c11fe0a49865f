"""`completion`."""

import shutil
import subprocess

import pytest

from tests.cli.conftest import Program


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
def test_bash_takes_the_script_and_it_knows_commands_and_choices(program: Program) -> None:
    status, script, errors = program("completion", "bash")
    assert (status, errors) == (0, "")
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
    assert "train-stages" in script
    assert "fast-bf16" in script


def test_an_unknown_shell(program: Program) -> None:
    status, _, errors = program("completion", "bsh")
    assert status == 2
    assert "invalid choice: 'bsh' (choose from bash, zsh, tcsh); did you mean 'bash'?" in errors
