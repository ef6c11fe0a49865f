"""DetectionOutput against the loops of SSD; a real SSD Caffe gave the same on five nets when it was written."""

from typing import Any

import numpy as np
import pytest
import torch

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.utility.boxes import CODES, suppress_overlaps
from tests.layers.harness import Array, assert_close, assert_every_field_matters, build, random_bottom, run

ITEMS, PRIORS, CLASSES = 2, 6, 3
START = r"^layer 'out' \(DetectionOutput\): "


def priors() -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    low = torch.rand(PRIORS, 2, dtype=torch.float64, generator=generator) * 0.2
    corners = torch.cat([low, low + 0.4 + torch.rand(PRIORS, 2, dtype=torch.float64, generator=generator) * 0.3], 1)
    variances = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64).repeat(PRIORS)
    return torch.stack([corners.flatten(), variances])[None]


def bottoms(locations: int = 1) -> list[torch.Tensor]:
    scores = random_bottom(ITEMS, PRIORS, CLASSES, seed=1).softmax(2).flatten(1)
    return [random_bottom(ITEMS, PRIORS * locations * 4) * 0.5, scores, priors()]


def text(fields: str) -> str:
    return f"name: 'out' type: 'DetectionOutput' detection_output_param {{ num_classes: {CLASSES} {fields} }}"


def rows_of(
    code: str,
    offsets: Array,
    scores: Array,
    boxes: Array,
    *,
    locations: int = 1,
    is_encoded: bool = False,
    background: int = 0,
    least: float = -np.inf,
    overlap: float = 0.3,
    looked_at: int = 99,
    kept: int = 99,
) -> Array:
    """Item by item, class by class, prior by prior."""
    rows = []
    for item in range(ITEMS):
        found = []
        for label in range(CLASSES):
            if label == background:
                continue
            decoded = np.zeros((PRIORS, 4))
            for p in range(PRIORS):
                start = (p * locations + (label if locations > 1 else 0)) * 4
                offset = offsets[item, start : start + 4]
                if not is_encoded:
                    offset = offset * boxes[0, 1, p * 4 : p * 4 + 4]
                decoded[p] = CODES[code](torch.tensor(boxes[0, 0, p * 4 : p * 4 + 4]), torch.tensor(offset)).numpy()
            own = [(scores[item, p * CLASSES + label], p) for p in range(PRIORS)]
            order = [p for score, p in sorted(own, reverse=True) if score > least][:looked_at]
            for p in suppress_overlaps(torch.tensor(decoded), order, overlap):
                found.append([item, label, scores[item, p * CLASSES + label], *decoded[p]])
        best = sorted(found, key=lambda row: -row[2])[:kept]
        rows += sorted(best, key=lambda row: (row[1], -row[2]))
    return np.array(rows)[None, None]


@pytest.mark.parametrize(
    ("fields", "code", "options"),
    [
        ("", "CORNER", {}),
        ("code_type: CENTER_SIZE", "CENTER_SIZE", {}),
        (
            "code_type: CORNER_SIZE variance_encoded_in_target: true nms_param { nms_threshold: 0.0625 }",
            "CORNER_SIZE",
            {"is_encoded": True, "overlap": 0.0625},
        ),
        ("share_location: false background_label_id: 1", "CORNER", {"locations": 3, "background": 1}),
        ("background_label_id: -1 keep_top_k: -1", "CORNER", {"background": -1}),
        (
            "nms_param { nms_threshold: 0.125 top_k: 4 } keep_top_k: 5 confidence_threshold: 0.25",
            "CORNER",
            {"overlap": 0.125, "looked_at": 4, "kept": 5, "least": 0.25},
        ),
    ],
)
def test_detections(fields: str, code: str, options: dict[str, Any]) -> None:
    inputs = bottoms(int(options.get("locations", 1)))
    expected = rows_of(code, *(bottom.numpy() for bottom in inputs), **options)
    labels = CLASSES - (options.get("background", 0) >= 0)
    assert 2 < expected.shape[2] < ITEMS * PRIORS * labels  # some boxes are suppressed
    layer = build(text(fields), *inputs)
    assert_close(run(layer, *inputs)[0], expected)
    assert layer.no_gradient_to is True


def test_a_row_an_item_where_nothing_is_found() -> None:
    inputs = bottoms()
    (top,) = run(build(text("confidence_threshold: 0.999"), *inputs), *inputs)
    assert_close(top, np.array([[[[0, *[-1] * 6], [1, *[-1] * 6]]]]))


def test_states_one_detection_before_it_runs() -> None:
    assert build(text(""), *bottoms()).top_shapes((2, 24), (2, 18), (1, 2, 24)) == [(1, 1, 1, 7)]


def test_every_field_matters() -> None:
    inputs = bottoms()
    for fields in (
        "code_type: CENTER_SIZE variance_encoded_in_target: true keep_top_k: 3",
        "confidence_threshold: 0.3",
        "background_label_id: 2 nms_param { nms_threshold: 0.7 top_k: 3 }",
        "nms_param { nms_threshold: 0.9 eta: 0.5 }",
    ):
        assert_every_field_matters(text(fields), *inputs)
    assert_every_field_matters(text("share_location: false"), *bottoms(locations=CLASSES))


def test_says_nothing_of_a_label_map_without_files_to_write(caplog: pytest.LogCaptureFixture) -> None:
    build(text("save_output_param { label_map_file: 'no/such.prototxt' } visualize: false"), *bottoms())
    assert not caplog.records


@pytest.mark.parametrize(
    "fields",
    [
        "save_output_param { output_directory: '/no/such' output_format: 'VOC' resize_param { height: 3 } }",
        "visualize: true visualize_threshold: 0.5 save_file: 'film.avi'",
    ],
)
def test_result_files_and_windows_change_no_top(fields: str, caplog: pytest.LogCaptureFixture) -> None:
    inputs = bottoms()
    expected = build(text(""), *inputs)(*inputs)
    torch.testing.assert_close(build(text(fields), *inputs)(*inputs), expected, rtol=0, atol=0)
    (record,) = caplog.records
    assert record.getMessage().startswith("layer 'out' (DetectionOutput): writes no result files and shows no windows")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("nms_param { eta: 0 }", r"expected nms_threshold of at least 0 and eta in \(0, 1\], got 0.3 and 0"),
        ("nms_param { nms_threshold: -1 }", "expected nms_threshold of at least 0"),
    ],
)
def test_refuses_fields(fields: str, message: str) -> None:
    with pytest.raises(FieldError, match=START + message):
        build(text(fields), *bottoms())


def test_refuses_to_guess_the_classes() -> None:
    with pytest.raises(FieldError, match=START + "expected num_classes above 0, got none"):
        build("name: 'out' type: 'DetectionOutput'", *bottoms())


@pytest.mark.parametrize(
    ("index", "shape", "message"),
    [
        (0, (2, 20), r"expected priors \(1, 2, 4 priors\) and 1 x 4 offsets a prior, got \[1, 2, 24\] and \[2, 20\]"),
        (1, (2, 17), r"expected 2 x 18 scores \(priors x classes\), got \[2, 17\]"),
        (1, (3, 18), r"expected 2 x 18 scores \(priors x classes\), got \[3, 18\]"),
        (2, (2, 24), r"expected priors \(1, 2, 4 priors\) .* got \[2, 24\]"),
    ],
)
def test_refuses_shapes(index: int, shape: tuple[int, ...], message: str) -> None:
    inputs = bottoms()
    layer = build(text(""), *inputs)
    inputs[index] = random_bottom(*shape)
    with pytest.raises(ShapeError, match=START + message):
        layer(*inputs)
