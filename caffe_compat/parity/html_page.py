"""Writes a comparison as a self-contained HTML file without scripts: result, picture of the net, and table."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from caffe_compat.net.net import Net
from caffe_compat.pages.render import Markup
from caffe_compat.pages.render import write_page as write_template
from caffe_compat.parity.comparison import Comparison, Verdict
from caffe_compat.parity.layout import layer_graph, place
from caffe_compat.parity.picture import MARKS, draw_net, draw_overview
from caffe_compat.parity.provenance import Provenance
from caffe_compat.parity.text_table import HEADINGS, cells, conclusion

MEANINGS: dict[Verdict | None, str] = {
    Verdict.SAME: "the same",
    Verdict.DIFFERS: "differs, also when fed with the other side's bottoms",
    Verdict.OTHER_SHAPE: "other shape",
    Verdict.DRIFTS: "drifts: rounding errors of the layers before add up to more than the tolerance",
    Verdict.INHERITS: "inherits: differs only because of a layer before it",
    Verdict.OTHER_DRAW: "drawn by lot: the other side's values are used from here on",
    Verdict.NOISE: "noise: the rounding of a true zero",
    Verdict.TIE: "tie: a choice between values that are equal to rounding",
    None: "not compared: the other side does not show it",
}
#: Nets with more layers get a small overview above the picture, because the picture must be scrolled.
LARGEST_AT_A_GLANCE = 40
#: Columns of numbers.
_NUMBERS = range(5, 9)


class PageRow(NamedTuple):
    """A row of the page's table; `anchor` is "" if another row of the same layer has the anchor."""

    kind: str
    anchor: str
    is_first: bool
    cells: tuple[str, ...]
    cause: str


def write_page(net: Net, comparison: Comparison, path: Path, provenance: Provenance | None = None) -> None:
    """Writes the page completely or not at all; `provenance` is shown below the table."""
    sentence = conclusion(comparison)
    overview, picture = _pictures(net, comparison)
    write_template(
        path,
        "parity.html",
        title=f"Parity of {net.name or 'the net'} with {comparison.against}",
        conclusion=f"{sentence[:1].upper()}{sentence[1:]}",
        first=comparison.first_wrong,
        max_error=f"{comparison.max_error:.1e}",
        legend=_legend(comparison),
        overview=overview,
        picture=picture,
        headings=(*HEADINGS, "cause"),
        number_columns=_NUMBERS,
        rows=list(_rows(net, comparison)),
        about=[] if provenance is None else provenance.rows(),
        remarks={"Notes on the other side": comparison.notes, "Not compared": comparison.not_compared},
    )


def _legend(comparison: Comparison) -> list[tuple[str, str]]:
    """Returns the marks that occur in the picture, each with its meaning."""
    shown = {*(row.verdict for row in comparison.differences), None}
    return [(mark, MEANINGS[verdict]) for verdict, mark in MARKS.items() if verdict in shown]


def _pictures(net: Net, comparison: Comparison) -> tuple[Markup, Markup]:
    """Returns the overview, empty for small nets, and the picture of the net, as SVG."""
    nodes, found = place(layer_graph(net)), (comparison.differences, comparison.first_wrong)
    overview = draw_overview(nodes, *found) if len(nodes) > LARGEST_AT_A_GLANCE else ""
    return Markup(overview), Markup(draw_net(nodes, *found))


def _rows(net: Net, comparison: Comparison) -> Iterator[PageRow]:
    numbers = {node.name: node.number for node in layer_graph(net)}
    linked: set[str] = set()
    for row in comparison.differences:
        anchor = "" if row.layer in linked else f"layer-{numbers[row.layer]}"
        linked.add(row.layer)
        kind = "wrong" if row.is_wrong else str(row.verdict.value).replace(" ", "-")
        yield PageRow(kind, anchor, row is comparison.first_wrong, cells(row), row.cause)
