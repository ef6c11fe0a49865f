"""The picture of the packages is drawn from today's imports, and its page describes every package."""

import re

from scripts.draw_architecture import PICTURE, imports_between_packages, picture
from tests.docs.blocks import ROOT


def test_the_picture_shows_todays_imports() -> None:
    assert PICTURE.read_text(encoding="utf-8") == picture(imports_between_packages()), "run scripts/generate"


def test_the_page_describes_every_package() -> None:
    cells = re.findall(r"^\| (`.+?) \|", (ROOT / "docs/architecture.md").read_text(encoding="utf-8"), re.MULTILINE)
    described = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert described == set(imports_between_packages())
