"""Pieces of a page that needs no other file: pictures are inside, nothing is fetched."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

STYLE = """
:root { color-scheme: light; --ink: #1d2733; --soft: #55606e; --line: #d9dee5; --accent: #0072b2; --paper: #fff; }
* { box-sizing: border-box; }
body { margin: 0; background: #f4f6f8; color: var(--ink); font: 16px/1.6 system-ui, "Segoe UI", Roboto, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; background: var(--paper); min-height: 100vh; }
h1 { font-size: 1.9rem; line-height: 1.25; margin: 0 0 .4rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
p { max-width: 46rem; margin: .5rem 0; }
.lead { font-size: 1.12rem; color: var(--soft); }
.verdict { border-left: 4px solid var(--accent); padding: .6rem 1rem; background: #eef5fa; margin: 1.2rem 0; }
figure { margin: 1rem 0; }
figure img { max-width: 100%; height: auto; border: 1px solid var(--line); border-radius: 4px; }
figcaption, caption { color: var(--soft); font-size: .92rem; text-align: left; padding: .3rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .8rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .9rem; text-align: right; border-bottom: 1px solid var(--line); }
thead th { border-bottom: 2px solid var(--soft); }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
tbody tr.main { font-weight: 650; }
summary { cursor: pointer; color: var(--accent); margin: .8rem 0; }
code { background: #eef1f4; padding: .1rem .3rem; border-radius: 3px; }
"""


def page(title: str, body: Iterable[str]) -> str:
    """A whole document."""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def heading(text: str, level: int = 2) -> str:
    """A heading."""
    return f"<h{level}>{escape(text)}</h{level}>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph, of a class of the style sheet if it has one."""
    return f"<p{_class(kind)}>{escape(text)}</p>"


def picture(path: Path, alternative: str, caption: str) -> str:
    """A PNG inside the page, with what it shows in words."""
    data = base64.b64encode(path.read_bytes()).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(alternative)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]], main: Iterable[str] = ()) -> str:
    """A table; the first column names the row, rows named in `main` stand out."""
    strong = set(main)
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(
        f'<tr{_class("main" if name in strong else "")}><th scope="row">{escape(name)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>\n"
        for name, *cells in rows
    )
    return (
        f'<div class="scroll" tabindex="0"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>\n{body}</tbody></table></div>"
    )


def folded(summary: str, inner: str) -> str:
    """What is shown only when asked for."""
    return f"<details><summary>{escape(summary)}</summary>{inner}</details>"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
