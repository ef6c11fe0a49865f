"""Writes report.html, a page to explore images, labels and neurons of a trained SRN, and analysis.json, its numbers."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from caffe_compat.data.preprocessing import read_picture
from caffe_compat.experiments.analysis.attention import attention_numbers
from caffe_compat.experiments.analysis.diagram import draw_parts
from caffe_compat.experiments.analysis.gains import gains_by_label
from caffe_compat.experiments.analysis.neurons import AXES, Correlations, correlate
from caffe_compat.experiments.analysis.observed import SCORES, Observed, observe
from caffe_compat.experiments.analysis.places import centres, read_boxes
from caffe_compat.experiments.runs import Run, Say
from caffe_compat.net.build import load_net
from caffe_compat.pages.render import data_uri, write_page
from caffe_compat.proto.file_bytes import replacing
from caffe_compat.srn.metrics.attention_scores import Box

TITLE = "What a trained SRN has learned"
#: Number of images on the page; statistics use all images.
SHOWN_IMAGES = 240
STRONGEST, TOP_IMAGES = 24, 3
JPEG_QUALITY = 80

Boxes = Sequence[dict[int, list[Box]]]


def write_analysis(
    out: Path, srn: Run, baseline: Run, groups: dict[str, slice], say: Say, control: Run | None = None
) -> dict[str, Any]:
    """Writes OUT/report.html and OUT/analysis.json from trained runs; returns the content of the latter.

    `groups` names parts of the labels, for the table of attention. The page compares the neurons
    of the run `control` with SRN's. DataError where the data have no true places.
    """
    observed = observe(srn)
    boxes = read_boxes(srn.files("test").boxes, observed.names, observed.classes)
    first = read_picture(str(srn.files("test").images / observed.names[0]))
    picture = (first.shape[0], first.shape[1])
    places = centres(boxes, len(observed.classes))
    correlations = correlate(observed.neurons, places)
    say(f"observed {len(observed.names):,} images and {observed.neurons.shape[1]} neurons of conv4")
    numbers = {
        "model": srn.arm.title,
        "attention": {name: attention_numbers(observed, boxes, picture, labels) for name, labels in groups.items()},
        "neurons": _neuron_numbers(srn.arm.title, correlations, observed),
        "control": _of_control(control, places) if control else None,
        "gains": gains_by_label(srn, baseline) | {"baseline": baseline.arm.title},
    }
    shown = _shown(observed, correlations)
    data = numbers | {
        "title": TITLE,
        "classes": list(observed.classes),
        "picture": list(picture),
        "grid": list(observed.attention.shape[2:]),
        "images": [_image(srn, observed, boxes, number) for number in shown],
        "maps": {"A": _bytes(observed.attention[shown]), "U": _bytes(observed.weighted[shown])},
        "activations": _activations(observed.neurons[shown]),
        "pairs": _pairs(correlations, observed, shown),
        "parts": draw_parts(load_net(str(srn.deploy_net), "TEST")),
    }
    write_page(out / "report.html", "analysis.html", title=TITLE, data=_as_script(data), numbers=numbers)
    with replacing(out / "analysis.json") as beside:
        beside.write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    return numbers


def _neuron_numbers(title: str, found: Correlations, observed: Observed) -> dict[str, Any]:
    """Returns how many neurons follow a label's place, and the strongest pairs with their intervals."""
    return {
        "model": title,
        "neurons": int(found.r.shape[0]),
        "tried": found.tried,
        "certain": found.certain,
        "largest": _number(np.nanmax(np.abs(found.r))) if found.tried else None,
        "strongest": [
            {
                "neuron": neuron,
                "label": observed.classes[label],
                "axis": AXES[axis],
                "r": _number(found.r[neuron, label, axis]),
                "interval": [_number(end) for end in found.interval((neuron, label, axis))],
                "p_corrected": float(f"{found.p[neuron, label, axis]:.2g}"),
                "images": int(found.images[label]),
            }
            for neuron, label, axis in found.strongest(10)
        ],
    }


def _of_control(control: Run, places: NDArray[np.float64]) -> dict[str, Any]:
    observed = observe(control)
    return _neuron_numbers(control.arm.title, correlate(observed.neurons, places), observed)


def _shown(observed: Observed, found: Correlations) -> list[int]:
    """Returns the page's images: those with the largest values of the strongest neurons, then the split's first."""
    top = [int(image) for neuron, _, _ in found.strongest(STRONGEST) for image in _top_images(observed, neuron)]
    return sorted(list(dict.fromkeys([*top, *range(len(observed.names))]))[:SHOWN_IMAGES])


def _top_images(observed: Observed, neuron: int) -> NDArray[np.intp]:
    return np.argsort(-observed.neurons[:, neuron], kind="stable")[:TOP_IMAGES]


def _image(run: Run, observed: Observed, boxes: Boxes, number: int) -> dict[str, Any]:
    path = run.files("test").images / observed.names[number]
    pixels = (255 * read_picture(str(path))).round().astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return {
        "name": observed.names[number],
        "picture": data_uri(encoded.tobytes()),
        "present": np.flatnonzero(observed.present[number]).tolist(),
        "boxes": {str(label): places for label, places in boxes[number].items()},
        "scores": {name: [_number(value) for value in observed.scores[name][number]] for name in SCORES},
    }


def _pairs(found: Correlations, observed: Observed, shown: Sequence[int]) -> list[dict[str, Any]]:
    """Returns, per neuron, the label and axis that it follows most, and its top images as positions in `shown`."""
    place = {image: position for position, image in enumerate(shown)}
    return [
        {
            "neuron": neuron,
            "label": label,
            "axis": axis,
            "r": _number(found.r[neuron, label, axis]),
            "interval": [_number(end) for end in found.interval((neuron, label, axis))],
            "p": float(f"{found.p[neuron, label, axis]:.2g}"),
            "top": [place[image] for image in _top_images(observed, neuron).tolist() if image in place],
        }
        for neuron, label, axis in found.strongest(found.r.shape[0])
    ]


def _bytes(maps: NDArray[np.float32]) -> dict[str, Any]:
    """Maps (N, C, H, W) as bytes in base64, each scaled to its largest value, and those values."""
    largest = maps.max(axis=(2, 3))
    scaled = np.round(255 * maps / np.maximum(largest, 1e-30)[..., None, None]).astype(np.uint8)
    return {
        "values": base64.b64encode(scaled.tobytes()).decode(),
        "largest": [[_number(value) for value in row] for row in largest],
    }


def _activations(neurons: NDArray[np.float32]) -> dict[str, Any]:
    """Activations (N, M) as bytes in base64, each neuron scaled to its largest value, and those values."""
    largest = neurons.max(axis=0)
    scaled = np.round(255 * neurons / np.maximum(largest, 1e-30)).astype(np.uint8)
    return {
        "values": base64.b64encode(scaled.tobytes()).decode(),
        "largest": [_number(value) for value in largest],
    }


def _number(value: float) -> float:
    """Returns a number rounded to four digits, which is enough for the page."""
    return float(f"{float(value):.4g}")


def _as_script(data: dict[str, Any]) -> Markup:
    """Returns JSON for a <script> element: no text of a net can end the element or start a comment."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
