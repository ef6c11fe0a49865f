"""Links of the Markdown pages lead somewhere, and the page on trouble quotes real messages."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, ROOT

ALL_PAGES = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"]
_LINK = re.compile(r"\]\((?!https?:|mailto:)(?P<path>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_QUOTED = re.compile(r"`([^`]+)`")


def anchors_of(page: Path) -> set[str]:
    """The anchors that a page's headings get, as GitHub and mkdocs make them."""
    titles = _HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\s-]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = _LINK.finditer(page.read_text(encoding="utf-8"))
    assert [link[0] for link in links if not _leads_somewhere(page, link["path"], link["anchor"])] == []


def _leads_somewhere(page: Path, path: str, anchor: str | None) -> bool:
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not anchor or target.suffix != ".md" or anchor in anchors_of(target)


def _quoted_messages() -> Iterator[str]:
    rows = (line for line in (ROOT / "docs/troubleshooting.md").read_text().splitlines() if line.startswith("| `"))
    for row in rows:
        yield from _QUOTED.findall(row.split("|")[1])


def _source() -> str:
    """All text of the package, with strings that go on in the next line joined."""
    files = sorted((ROOT / "caffe_compat").rglob("*.py"))
    return re.sub(r'"\s*\n\s*f?r?"', "", "\n".join(path.read_text(encoding="utf-8") for path in files))


def test_trouble_shooting_quotes_messages_of_the_source() -> None:
    source = _source()
    assert len(list(_quoted_messages())) > 15
    assert [part for part in _quoted_messages() if part not in source] == []
