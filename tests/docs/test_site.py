"""The documentation site: it builds without a warning, loads nothing from the network, and its search works offline."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import act
from tests.docs.blocks import ROOT

#: What a browser fetches while it shows a page; links that a person follows are not among it.
_FETCHED = re.compile(
    r"<(?:script|img|iframe|source)[^>]*\ssrc=[\"'](?P<src>https?:[^\"']+)"
    r"|<link[^>]*rel=[\"']?stylesheet[^>]*href=[\"']?(?P<css>https?:[^\"'> ]+)"
)
_SEARCH = """
  const field = document.querySelector(".md-search__input");
  const settle = (ms) => new Promise((done) => setTimeout(done, ms));
  await settle(500);
  found.overflow = document.body.scrollWidth - document.body.clientWidth;
  field.focus();
  field.value = "plateau";
  field.dispatchEvent(new Event("input", {bubbles: true}));
  field.dispatchEvent(new Event("keyup", {bubbles: true}));
  for (let n = 0; n < 50 && !document.querySelector(".md-search-result__item"); n++) await settle(100);
  found.results = [...document.querySelectorAll(".md-search-result__item")].map((item) => item.textContent);
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.mark.slow
def test_every_page_of_docs_is_a_page_of_the_site(site: Path) -> None:
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} | {"404"} == {
        path.stem
        for path in site.glob("*.html")
        if not path.stem.startswith("acted_")  # copies of other tests
    }


@pytest.mark.slow
def test_no_page_loads_from_the_network(site: Path) -> None:
    pages = sorted(site.glob("*.html"))
    assert [(page.name, found[0]) for page in pages for found in _FETCHED.finditer(page.read_text())] == []
    assert [page.name for page in pages if "unpkg.com" in page.read_text()] == []


@pytest.mark.slow
def test_the_api_reference_shows_docstrings(site: Path) -> None:
    page = (site / "api.html").read_text()
    assert 'id="caffe_compat.module.load.load"' in page
    assert "batch" in page


@pytest.mark.slow
@pytest.mark.parametrize("width", [400, 1600])
def test_search_finds_pages_from_the_disk(site: Path, width: int) -> None:
    found = act(site / "index.html", _SEARCH, width=width)
    assert any("plateau" in item for item in found["results"])
    assert found["overflow"] == 0
