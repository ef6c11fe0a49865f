"""The explorer in a browser: search, fold, zoom, keyboard, dark mode, two widths, two nets."""

from pathlib import Path

import pytest

from caffe_compat.cli.commands.view import main
from prototxt_gen.files import write
from prototxt_gen.options import GeneratorOptions
from tests.browser import act

pytestmark = pytest.mark.slow

GOLDENS = Path(__file__).parents[1] / "goldens"


@pytest.fixture(scope="module")
def deep_page(tmp_path_factory):
    """ResNet-152 with SRN's heads."""
    folder = tmp_path_factory.mktemp("deep")
    options = GeneratorOptions(model="resnet101_srn", labels=9, depth=152, width=8, step="test")
    (net,) = [path for path in write(options, str(folder)) if path.suffix == ".prototxt"]
    assert main([str(net), "--out", str(folder / "deep.html")]) == 0
    return folder / "deep.html"


def test_a_deep_net_is_small_quick_and_folded(deep_page):
    assert deep_page.stat().st_size < 3_000_000
    found = act(
        deep_page,
        """
        const started = performance.now();
        active.show(active.variant);
        found.seconds = (performance.now() - started) / 1000;
        found.groups = active.groups.map((group) => group.label);
        found.folded = active.shown.length;
        await press("f");
        found.opened = active.shown.length;
        found.boxes = active.boxes.length;
        const frame = performance.now();
        for (let i = 0; i < 60; i++) { active.x += 3; active.draw(); }
        found.frame = (performance.now() - frame) / 60;
        """,
    )
    assert found["seconds"] < 2
    assert "res4b1 … res4b35" in found["groups"]
    assert found["opened"] == found["boxes"]
    assert found["folded"] < 0.5 * found["opened"]
    assert found["frame"] < 1000 / 60


def test_boxes_do_not_overlap_and_lie_below_what_they_read(deep_page):
    found = act(
        deep_page,
        """
        await press("f");
        const boxes = active.shown;
        found.overlaps = boxes.flatMap((a, i) => boxes.slice(i + 1).filter((b) =>
          Math.abs(a.x - b.x) < (a.width + b.width) / 2 - 1 && a.y < b.y + b.height && b.y < a.y + a.height)
          .map((b) => [a.layers[0].name, b.layers[0].name]));
        found.upwards = active.graph.edges.filter((edge) => edge.from.y >= edge.to.y).length;
        """,
    )
    assert found == {"overlaps": [], "upwards": 0}


def test_search_keyboard_zoom_and_dark_mode(deep_page):
    found = act(
        deep_page,
        """
        const search = document.getElementById("search");
        await press("/");
        found.focused = document.activeElement === search;
        search.value = "sigmoid";
        search.dispatchEvent(new Event("input"));
        found.count = document.getElementById("count").textContent;
        search.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true}));
        search.blur();
        found.chosen = document.querySelector("#details h2").textContent;
        found.details = document.querySelector("#details").textContent;
        search.value = ""; search.dispatchEvent(new Event("input"));
        await press("n");
        found.next = document.querySelector("#details h2").textContent;
        await press("Escape");
        found.summary = document.querySelector("#details").textContent;
        const before = active.scale;
        await press("+");
        found.zoom = active.scale / before;
        const x = active.x;
        await press("ArrowLeft");
        found.moved = active.x - x;
        const light = getComputedStyle(document.body).backgroundColor;
        await press("d");
        found.dark = getComputedStyle(document.body).backgroundColor !== light;
        await press("?");
        found.help = document.getElementById("help").open;
        """,
    )
    assert found["focused"]
    assert found["count"].startswith("1 of ")
    assert found["chosen"] == "srn_conf"
    assert "1 × 9 × 14 × 14" in found["details"]
    assert found["next"] == "srn_weighted"
    assert "parameters" in found["summary"]
    assert found["zoom"] == pytest.approx(1.25)
    assert (found["moved"], found["dark"], found["help"]) == (80, True, True)


def test_a_group_opens_where_one_clicks(deep_page):
    found = act(
        deep_page,
        """
        const box = active.shown.find((one) => one.group);
        active.centre(box);
        const x = active.canvas.clientWidth / 2, y = active.canvas.clientHeight / 2;
        const before = active.shown.length;
        pointer(active.canvas, "pointerdown", x, y);
        pointer(active.canvas, "pointerup", x, y, 0);
        found.opened = active.shown.length > before;
        """,
    )
    assert found["opened"]


@pytest.mark.parametrize("width", [400, 1600])
def test_nothing_sticks_out_of_the_window(deep_page, width):
    found = act(
        deep_page,
        """
        found.sticks = document.documentElement.scrollWidth - window.innerWidth;
        found.canvas = active.canvas.clientHeight;
        """,
        width=width,
        height=800,
    )
    assert found["sticks"] <= 0
    assert found["canvas"] > 200


def test_the_forks_weights_file_shows_filters_and_histograms(tmp_path):
    weights = GOLDENS / "srn_fork" / "released_like" / "weights.caffemodel"
    assert main([str(weights), "--out", str(tmp_path / "fork.html")]) == 0
    found = act(
        tmp_path / "fork.html",
        """
        choose("caffe.SpatialConvolution_0", true);
        found.bars = document.querySelectorAll("#details .histogram rect").length;
        const picture = document.querySelector("#details .filters");
        await picture.decode();
        found.picture = picture.naturalWidth;
        """,
    )
    assert found == {"bars": 48, "picture": 25}


def test_two_nets_are_shown_side_by_side(tmp_path):
    folders = [tmp_path / name for name in ("grouped", "full")]
    for folder in folders:
        write(
            GeneratorOptions(model="resnet101_srn", labels=6, depth=26, width=8, step="test", conv4=folder.name),
            str(folder),
        )
    nets = [str(next(folder.glob("*.prototxt"))) for folder in folders]
    assert main([nets[0], "--diff", nets[1], "--out", str(tmp_path / "two.html")]) == 0
    found = act(
        tmp_path / "two.html",
        """
        found.panes = panes.length;
        const added = (pane) => pane.variant.layers.filter((one) => one.difference === "added");
        found.only = panes.map((pane) => added(pane).map((one) => one.name));
        choose("srn_conv4", true);
        found.details = document.querySelector("#details").textContent;
        """,
    )
    assert found["panes"] == 2
    assert "srn_conv2" in found["only"][0]
    assert found["only"][1] == []
    assert "convolution_param.group" in found["details"]
