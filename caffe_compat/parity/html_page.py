"""A comparison as one HTML file: the result, a picture of the net, the table. It needs no other file and no script."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from caffe_compat.net.net import Net
from caffe_compat.parity.comparison import Comparison, Verdict
from caffe_compat.parity.layout import layer_graph, place
from caffe_compat.parity.picture import MARKS, draw_net, draw_overview
from caffe_compat.parity.text_table import HEADINGS, cells, conclusion
from caffe_compat.proto.atomic_file import replacing

MEANINGS: dict[Verdict | None, str] = {
    Verdict.SAME: "the same",
    Verdict.DIFFERS: "differs, also when fed with the other side's bottoms",
    Verdict.OTHER_SHAPE: "other shape",
    Verdict.DRIFTS: "drifts: rounding errors of the layers before add up to more than the tolerance",
    Verdict.INHERITS: "inherits: differs only because of a layer before it",
    Verdict.OTHER_DRAW: "drawn by lot: the other side's values are used from here on",
    Verdict.NOISE: "noise: the rounding of a true zero",
    None: "not compared: the other side does not show it",
}
STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem 0; padding: 0 1.5rem; color: #1b1f23; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.result { border-left: 6px solid #1b6e2e; background: #eaf5ec; padding: .8rem 1rem; font-size: 1.05rem; }
.result.wrong { border-color: #b3140f; background: #fdecea; }
.net { overflow: auto; border: 1px solid #c9ced4; border-radius: 6px; max-height: 85vh; background: #fff; }
.net:focus-visible, a:focus-visible { outline: 3px solid #0b57d0; outline-offset: 2px; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; padding: 0; list-style: none; font-size: .9rem; }
.legend b { display: inline-block; width: 1.4em; text-align: center; }
.overview { display: block; width: 100%; max-height: 16rem; margin: 0 0 1rem; }
.overview .box { stroke-width: 5; } .overview .halo { stroke-width: 26; }
#first-in-picture { scroll-margin: 30vh 30vw; }
.edge { fill: none; stroke: #8a929b; stroke-width: 1.2; }
.box { fill: #fff; stroke: #6b737c; stroke-dasharray: 3 3; }
.box.same { fill: #eaf5ec; stroke: #2e7d3e; stroke-dasharray: none; }
.box.inherits { fill: #fff4e0; stroke: #a15c00; }
.box.drifts { fill: #fff9c4; stroke: #7a6400; stroke-dasharray: none; stroke-width: 2; }
.box.differs, .box.other-shape { fill: #b3140f; stroke: #7d0d0a; stroke-dasharray: none; stroke-width: 2; }
text { font-family: system-ui, sans-serif; fill: #1b1f23; }
text.differs, text.other-shape { fill: #fff; }
.name { font-size: 11.5px; font-weight: 600; } .type { font-size: 9.5px; }
.mark { font-size: 13px; text-anchor: middle; }
.halo { fill: none; stroke: #b3140f; stroke-width: 4; }
a:target .halo { stroke-width: 8; }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .3rem 0; }
th, td { text-align: left; padding: .15rem .7rem; border-bottom: 1px solid #e3e6e9; vertical-align: top;
  white-space: nowrap; }
thead th { position: sticky; top: 0; background: #f3f5f7; }
td.number { text-align: right; }
tr.wrong { background: #fdecea; } tr.inherits { background: #fff4e0; } tr.first td, tr.first th { font-weight: 700; }
tr:target { outline: 3px solid #0b57d0; }
td.cause { min-width: 20rem; white-space: normal; }
"""
#: A net of more layers gets a small overview above its picture, which then scrolls.
LARGEST_AT_A_GLANCE = 40
#: Columns of numbers.
_NUMBERS = range(5, 9)
_NUMBER, _FIRST = ' class="number"', ' id="first"'


def write_page(net: Net, comparison: Comparison, path: Path) -> None:
    """Writes the page, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text("\n".join(_page(net, comparison)) + "\n", encoding="utf-8")


def _page(net: Net, comparison: Comparison) -> Iterator[str]:
    title = f"Parity of {net.name or 'the net'} with {comparison.against}"
    yield f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{escape(title)}</h1>"
    yield from _result(comparison)
    yield from _net(net, comparison)
    yield from _table(net, comparison)
    yield from _remarks("Notes on the other side", comparison.notes)
    yield from _remarks("Not compared", comparison.not_compared)
    yield "</main>\n</body>\n</html>"


def _result(comparison: Comparison) -> Iterator[str]:
    first = comparison.first_wrong
    sentence = escape(conclusion(comparison))
    link = (
        ' <a href="#first-in-picture">Show it in the net</a>, <a href="#first">show its figures</a>.' if first else ""
    )
    yield f'<p class="result{" wrong" if first else ""}">{sentence[:1].upper()}{sentence[1:]}.{link}</p>'
    yield (
        f"<p>{len(comparison.differences)} blobs were compared; the largest relative error of the whole run is "
        f"{comparison.max_error:.1e}.</p>"
    )


def _net(net: Net, comparison: Comparison) -> Iterator[str]:
    yield '<h2 id="net">The net</h2>\n<ul class="legend">'
    shown = {*(row.verdict for row in comparison.differences), None}
    for verdict, mark in MARKS.items():
        if verdict in shown:
            yield f'<li><b aria-hidden="true">{mark}</b> {escape(MEANINGS[verdict])}</li>'
    nodes, found = place(layer_graph(net)), (comparison.differences, comparison.first_wrong)
    yield "</ul>"
    if len(nodes) > LARGEST_AT_A_GLANCE:
        yield draw_overview(nodes, *found)
    yield '<div class="net" tabindex="0" role="region" aria-label="Picture of the net; it scrolls">'
    yield draw_net(nodes, *found)
    yield "</div>"


def _table(net: Net, comparison: Comparison) -> Iterator[str]:
    numbers = {node.name: node.number for node in layer_graph(net)}
    yield '<h2 id="table">Layer by layer</h2>'
    yield '<div class="net" tabindex="0" role="region" aria-label="Table of all blobs">'
    yield (
        "<table>\n<caption>Errors of every blob: over the whole run, and of the layer alone, fed with the other side's "
        "bottoms</caption>\n<thead><tr>"
    )
    yield "".join(f'<th scope="col">{heading}</th>' for heading in (*HEADINGS, "cause"))
    yield "</tr></thead>\n<tbody>"
    linked: set[str] = set()
    for row in comparison.differences:
        anchor = "" if row.layer in linked else f' id="layer-{numbers[row.layer]}"'
        linked.add(row.layer)
        is_first = row is comparison.first_wrong
        kind = "wrong" if row.is_wrong else str(row.verdict.value).replace(" ", "-")
        yield f'<tr class="{kind}{" first" if is_first else ""}"{anchor}>{_cells(cells(row), row.cause, is_first)}</tr>'
    yield "</tbody>\n</table>\n</div>"


def _cells(texts: tuple[str, ...], cause: str, is_first: bool) -> str:
    heading = f'<th scope="row"{_FIRST if is_first else ""}>{escape(texts[0])}</th>'
    others = [
        f"<td{_NUMBER if column in _NUMBERS else ''}>{escape(text)}</td>" for column, text in enumerate(texts) if column
    ]
    return heading + "".join(others) + f'<td class="cause">{escape(cause)}</td>'


def _remarks(title: str, remarks: list[str]) -> Iterator[str]:
    if remarks:
        yield f"<h2>{title}</h2>\n<details><summary>{len(remarks)}</summary>\n<ul>"
        yield from (f"<li>{escape(remark)}</li>" for remark in remarks)
        yield "</ul>\n</details>"
