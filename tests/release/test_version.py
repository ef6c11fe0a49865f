"""One version number, and what a release says of itself."""

import re
import tomllib
from pathlib import Path

import caffe_compat

ROOT = Path(__file__).parents[2]


def test_the_version_is_stated_once_and_has_its_section_in_the_changelog() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "caffe_compat.__version__"}
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] in ("Unreleased", caffe_compat.__version__)


def test_every_requirement_is_pinned_with_its_reason() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    wrong = [
        line for line in lines if line and not line.startswith("#") and not re.match(r"[\w.-]+==\S.*\S +# \S", line)
    ]
    assert wrong == []


def test_what_a_user_needs_is_pinned_too() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = {
        re.split(r"[=;]", line)[0].strip().lower() for line in (ROOT / "requirements.txt").read_text().splitlines()
    }
    extras = [name for extra, names in project["optional-dependencies"].items() if extra != "dev" for name in names]
    needed = {re.split(r"[<>=\[]", name)[0].strip().lower() for name in [*project["dependencies"], *extras]}
    assert needed - pinned == set()
