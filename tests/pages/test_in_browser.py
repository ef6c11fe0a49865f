"""Pages in a real browser: on a phone and a wide screen, light and dark, without errors, and nothing sticks out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from caffe_compat.pages.pieces import Folded, Heading, PageTable, Paragraph, Picture, Piece, write_pieces
from caffe_compat.parity.compare import compare
from caffe_compat.parity.html_page import write_page
from caffe_compat.parity.own_runs import record_layers
from caffe_compat.srn.watching.event_file import EventFile
from caffe_compat.srn.watching.events import End, NetTested, Shown, Start
from caffe_compat.srn.watching.run_report import EVENTS, write_report
from tests.browser import act
from tests.parity.nets import inputs_of, net_of

LONG = "a_layer_with_a_very_long_name/that_goes_on/and_on" * 3
NET = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 3 dim: 5 dim: 4 }} }} }}
layer {{ name: "{name}" type: "Power" bottom: "data" top: "b" power_param {{ scale: {scale} }} }}
layer {{ name: "end" type: "Softmax" bottom: "b" top: "end" }}
"""
LOOK = """
  const colour = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
  found.dark = colour[0] + colour[1] + colour[2] < 200;
  found.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  found.title = document.title;
  for (const folded of document.querySelectorAll("details:not([open]) > summary")) { folded.click(); await wait(); }
  found.closed = document.querySelectorAll("details:not([open])").length;
"""


def parity_page(folder: Path) -> Path:
    net, other = (net_of(NET.format(name=LONG, scale=scale)) for scale in (1.5, 2))
    write_page(net, compare(net, record_layers(other, inputs_of(net))), folder / "parity.html")
    return folder / "parity.html"


def training_page(folder: Path) -> Path:
    file = EventFile(folder / EVENTS)
    file.write(Start(100.0, 0, 9000, "net", 24, {"device": "CPU"}, [f"label {number} {LONG}" for number in range(30)]))
    means = {"mAP": 0.5}
    for iteration in range(0, 3000, 500):
        classes = {"y": [0.25 + iteration / 9000] * 30}
        file.write(Shown(100.0 + iteration, iteration, 2.0 / (1 + iteration), 0.01, 120.0, 0.25))
        file.write(NetTested(101.0, iteration, 0, 0.7, {"loss": 0.7}, means, classes))
    file.write(End(400.0, 9000, "done"))
    file.close()
    return write_report(folder)


def report_of_pieces(folder: Path) -> Path:
    table = PageTable("caption", ("name", *map(str, range(40))), [(LONG, *map(str, range(40)))])
    picture = Picture(b'<svg xmlns="http://www.w3.org/2000/svg" width="2000" height="30"/>', "a bar", "caption")
    body: list[Piece] = [
        Heading("Heading", level=1),
        Paragraph(LONG, "lead"),
        table,
        picture,
        Folded("more", [Paragraph("inside")]),
    ]
    write_pieces(folder / "report.html", "Report", body)
    return folder / "report.html"


@pytest.mark.slow
@pytest.mark.parametrize("is_dark", [False, True])
@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("write", [parity_page, training_page, report_of_pieces])
def test_a_page_fits_the_screen(tmp_path: Path, write: Callable[[Path], Path], width: int, is_dark: bool) -> None:
    found = act(write(tmp_path), LOOK, width=width, is_dark=is_dark)
    assert found["title"]
    assert (found["wide"], found["closed"], found["dark"]) == (0, 0, is_dark)
