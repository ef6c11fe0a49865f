"""Reports of pieces: whole pages that need no other file."""

from html.parser import HTMLParser

from caffe_compat.pages.pieces import Folded, Heading, PageTable, Paragraph, Picture, Piece, write_pieces


class Checker(HTMLParser):
    """Every tag closes, and every picture says what it shows."""

    VOID = ("meta", "img")

    def __init__(self):
        super().__init__()
        self.open, self.pictures = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "img":
            self.pictures.append(dict(attributes))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_page_is_whole_and_needs_no_other_file(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    body: list[Piece] = [
        Heading("A < B", level=1),
        Paragraph("text & more", "lead"),
        PageTable("caption", ("name", "value"), [("first", "1"), ("second", "2")], main=["second"]),
        Picture(tmp_path / "a.png", 'what it "shows"', "caption"),
        Folded("more & more", [Paragraph("inside")]),
    ]
    write_pieces(tmp_path / "page.html", "Title", body)
    text = (tmp_path / "page.html").read_text()

    checker = Checker()
    checker.feed(text)
    assert not checker.open
    assert checker.pictures == [{"src": "data:image/png;base64,iVBORw==", "alt": 'what it "shows"'}]
    assert "<h1>A &lt; B</h1>" in text
    assert "<details><summary>more &amp; more</summary><p>inside</p></details>" in text.replace("\n", "")
    assert '<p class="lead">text &amp; more</p>' in text
    assert '<tr class="main"><th scope="row">second</th><td>2</td></tr>' in text
    assert "http" not in text
