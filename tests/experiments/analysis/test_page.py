"""The page of a trained SRN: its numbers, and what a person can do with it in a browser."""

import json
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.experiments.analysis.attention import attention_numbers
from caffe_compat.experiments.analysis.diagram import draw_parts
from caffe_compat.experiments.analysis.observed import observe
from caffe_compat.experiments.analysis.page import write_analysis
from caffe_compat.experiments.analysis.places import centres, read_boxes
from caffe_compat.experiments.mechanism.arms import ARMS, DATA, setting
from caffe_compat.experiments.mechanism.relation_scenes import write_relation_scenes
from caffe_compat.experiments.mechanism.study import GROUPS
from caffe_compat.experiments.models import write_models
from caffe_compat.experiments.runs import Run
from caffe_compat.net.build import load_net
from caffe_compat.net.settings import Surroundings
from tests.browser import act

NUMBERS = {"train": 6, "val": 2, "test": 60}


def untrained(dataset, key):
    """A run whose weights are its fillers' values."""
    made = ARMS[key].arm
    run = Run(key, made, dataset, 3)
    write_models(run.folder, made, setting(NUMBERS["train"], 15), 3)
    net = load_net(str(run.deploy_net), "TEST", surroundings=Surroundings(random_seed=3))
    for name, blobs in net.params.items():
        if name.startswith("bn_"):
            blobs[1].data[...], blobs[2].data[...] = 100, 1
    net.save(str(run.weights))
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    dataset = tmp_path_factory.mktemp("relations")
    write_relation_scenes(dataset / "data", NUMBERS, 3, DATA["relations"])
    return untrained(dataset, "srn"), untrained(dataset, "baseline")


@pytest.fixture(scope="module")
def page(runs: tuple[Run, Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    numbers = write_analysis(out, *runs, GROUPS, lambda line: None)
    assert json.loads((out / "analysis.json").read_text()) == numbers
    return out / "report.html"


def test_observed_maps_follow_the_equations(runs):
    observed = observe(runs[0])
    assert observed.attention.shape == observed.weighted.shape == (60, 11, 13, 13)
    assert observed.neurons.shape == (60, 256)
    np.testing.assert_allclose(observed.attention.sum((2, 3)), 1, rtol=1e-4)
    np.testing.assert_allclose(
        observed.scores["y"], (observed.scores["y_cls"] + observed.scores["y_sr"]) / 2, rtol=1e-3
    )
    boxes = read_boxes(runs[0].files("test").boxes, observed.names, observed.classes)
    assert [sorted(of) for of in boxes] == [np.flatnonzero(row).tolist() for row in observed.present]
    places = centres(boxes, 11)
    assert np.array_equal(~np.isnan(places[:, :, 0]), observed.present)
    numbers = attention_numbers(observed, boxes, (104, 104), slice(0, 5))
    for name in ("A", "U"):
        for mean, low, high in numbers[name].values():
            assert 0 <= low <= mean <= high <= 1
        assert numbers[name]["area"][0] == pytest.approx(64 / 104**2)


def test_data_without_places_are_refused(runs, tmp_path):
    with pytest.raises(DataError, match=r"expected the true place of each object, found no such file; only drawn"):
        read_boxes(tmp_path / "test_boxes.json", [], [])


def test_the_diagram_has_every_part_and_its_shapes(runs):
    drawn = draw_parts(load_net(str(runs[0].deploy_net), "TEST"))
    for title in ("f_cnn (Eq. 1)", "f_cls (Eq. 2)", "f_att (Eq. 3, 4)", "conv1: S", "U = sigmoid(S) A", "f_sr (Eq. 9)"):
        assert f">{title}" in drawn
    assert drawn.count(">11 x 13 x 13<") >= 2  # A and S, or U
    assert ">64 x 13 x 13<" in drawn


@pytest.mark.slow
def test_a_person_picks_zooms_and_uses_the_keyboard(page):
    assert page.stat().st_size < 5_000_000
    assert "http" not in page.read_text().replace("http://www.w3.org/", "")
    found = act(
        page,
        """
        const says = () => [element("image").value, element("label").value, element("neuron").value].map(Number);
        found.first = says();
        await press("ArrowRight"); await press("ArrowRight"); await press("ArrowLeft");
        await press("ArrowDown"); await press("n");
        found.keyed = says();
        element("image").value = 5;
        element("image").dispatchEvent(new Event("change"));
        found.picked = document.querySelector("#flow figcaption").textContent;
        found.maps = document.querySelectorAll("#maps figure").length;
        found.red = document.querySelectorAll("#maps .true").length === PAGE.images[5].present.length;
        const figures = document.querySelectorAll("#maps figure");
        figures[9].click();
        found.label = Number(element("label").value);
        const before = document.querySelector("#maps canvas").width;
        await press("+");
        found.zoom = document.querySelector("#maps canvas").width / before;
        for (let tries = 0; tries < 500 && !pictures.every((picture) => picture.complete); tries++) await wait();
        choose({});
        const canvas = document.querySelector("#maps canvas");
        const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        found.painted = new Set(pixels).size;
        found.circles = document.querySelectorAll("#scatter circle").length;
        document.querySelector("#scatter circle").dispatchEvent(new MouseEvent("click", { bubbles: true }));
        found.image = says()[0];
        found.expected = PAGE.images.findIndex((_, image) =>
          placeOf(image, PAGE.pairs[state.neuron].label, PAGE.pairs[state.neuron].axis) !== null);
        found.top = document.querySelectorAll("#top figure").length;
        found.parts = document.querySelectorAll("#parts rect").length;
        document.querySelector("button.name").click();
        found.gain = PAGE.classes[says()[1]] === document.querySelector("button.name").dataset.label;
        found.sticks = document.documentElement.scrollWidth - window.innerWidth;
        """,
    )
    image, label, neuron = found["first"]
    assert found["keyed"] == [image + 1, (label + 1) % 11, neuron + 1]
    assert found["picked"] == "image test/00005.png"
    assert (found["maps"], found["red"], found["label"], found["top"]) == (11, True, 9, 3)
    assert found["zoom"] == pytest.approx(1.25, abs=0.01)
    assert found["painted"] > 20
    assert found["circles"] > 3
    assert found["image"] == found["expected"]
    assert found["parts"] == 10
    assert found["gain"]
    assert found["sticks"] <= 0


@pytest.mark.slow
def test_nothing_sticks_out_of_a_phone(page):
    found = act(page, "found.sticks = document.documentElement.scrollWidth - window.innerWidth;", width=500, height=800)
    assert found["sticks"] <= 0
