from html.parser import HTMLParser

from caffe_compat.experiments.demo import html


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
    body = [
        html.heading("A < B", level=1),
        html.paragraph("text & more", "lead"),
        html.table("caption", ("name", "value"), [("first", "1"), ("second", "2")], main=["second"]),
        html.picture(tmp_path / "a.png", 'what it "shows"', "caption"),
        html.folded("more & more", html.paragraph("inside")),
    ]
    text = html.page("Title", body)

    checker = Checker()
    checker.feed(text)
    assert not checker.open
    assert checker.pictures == [{"src": "data:image/png;base64,iVBORw==", "alt": 'what it "shows"'}]
    assert "<h1>A &lt; B</h1>" in text
    assert "<details><summary>more &amp; more</summary><p>inside</p></details>" in text
    assert '<p class="lead">text &amp; more</p>' in text
    assert '<tr class="main"><th scope="row">second</th><td>2</td></tr>' in text
    assert "http" not in text
