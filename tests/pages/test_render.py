"""Templates: what is escaped, what is missing, and the style sheet of both modes."""

from pathlib import Path

import jinja2
import pytest

from caffe_compat.pages.render import Markup, data_uri, render, write_page


def test_text_is_escaped_and_markup_is_not() -> None:
    page = render("base.html", title="<b> & c")
    assert "<title>&lt;b&gt; &amp; c</title>" in page
    assert "<title><b></title>" in render("base.html", title=Markup("<b>"))


def test_the_style_has_a_dark_mode_and_is_inside() -> None:
    page = render("base.html", title="t")
    assert "prefers-color-scheme: dark" in page
    assert "http" not in page


def test_a_missing_value_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("before")
    with pytest.raises(jinja2.UndefinedError, match=r"'pieces' is undefined"):
        write_page(tmp_path / "page.html", "report.html", title="t")
    assert (tmp_path / "page.html").read_text() == "before"


@pytest.mark.parametrize(
    ("content", "uri"),
    [
        (b"\x89PNG", "data:image/png;base64,iVBORw=="),
        (b"\xff\xd8\xff", "data:image/jpeg;base64,/9j/"),
        (b"<svg/>", "data:image/svg+xml;base64,PHN2Zy8+"),
    ],
)
def test_pictures_are_inside_the_page(content: bytes, uri: str, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(content)
    assert data_uri(content) == data_uri(tmp_path / "picture") == uri
