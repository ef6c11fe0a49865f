"""Pieces of a report, which the template report.html draws one below the other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from caffe_compat.pages.render import write_page


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the page's own."""

    text: str
    level: int = 2
    template = "heading"


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; `kind` is a class of the style sheet: lead or verdict."""

    text: str
    kind: str = ""
    template = "paragraph"


@dataclass(frozen=True)
class Picture:
    """A PNG, JPEG or SVG inside the page; `alternative` says in words what it shows."""

    source: Path | bytes
    alternative: str
    caption: str
    template = "picture"


@dataclass(frozen=True)
class PageTable:
    """A table whose first column names the row; rows named in `main` stand out."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    main: Sequence[str] = ()
    template = "table"


@dataclass(frozen=True)
class Folded:
    """Pieces that are shown when the reader clicks on the summary."""

    summary: str
    pieces: Sequence["Piece"]
    template = "folded"


Piece = Heading | Paragraph | Picture | PageTable | Folded


def write_pieces(path: Path, title: str, pieces: Iterable[Piece]) -> None:
    """Writes a report as one HTML file, whole or not at all."""
    write_page(path, "report.html", title=title, pieces=list(pieces))
