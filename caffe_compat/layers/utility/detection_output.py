"""DetectionOutput of SSD: turns offsets and scores into a list of boxes."""

import logging
import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, exactly
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import Params
from caffe_compat.layers.utility.boxes import CODES, detections_of_ssd

logger = logging.getLogger("caffe_compat")

#: Fields for the result files and display windows of SSD's own program; no top depends on these fields.
ABOUT_FILES = ("save_output_param", "save_file", "visualize", "visualize_threshold")


@register_layer("DetectionOutput")
class DetectionOutput(Layer):
    """Top (1, 1, detections, 7): item, class, score, xmin, ymin, xmax, ymax, as fractions of the image size.

    Bottoms: offsets (N, priors * 4, or priors * classes * 4 without share_location), scores (N, priors * classes),
    priors (1, 2, priors * 4). If no item has a detection, the top has one row per item: the item's number, then six
    times -1. From weiliu89/caffe (detection_output_layer.cpp).
    """

    known_to = ("SSD",)
    meanings = (
        Meaning(
            "SSD",
            "boxes that overlap little, of each class",
            "detection_output_param with num_classes",
        ),
        Meaning(
            "the YOLO ports",
            "boxes of a grid",
            "classes, side, num_box, biases",
            "refused",
        ),
        Meaning(
            "RefineDet, deepdetect",
            "also by an objectness score",
            "objectness_score, soft_nms",
            "refused",
        ),
    )
    tops_have_batch = False
    example = "detection_output_param { num_classes: 2 }"
    is_discrete = True
    bottoms = exactly(3)
    no_gradient_to = True
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("detection_output_param")
        self.classes: int = params.num_classes
        self.shares_location: bool = params.share_location
        self.background: int = params.background_label_id
        self.decode = CODES[params.code_type]
        self.has_encoded_variance: bool = params.variance_encoded_in_target
        self.kept_at_most: int = params.keep_top_k
        self.least_score: float = params.confidence_threshold if params.has("confidence_threshold") else -math.inf
        self._read_suppression(params.nested("nms_param"))
        self._leave_out_files_and_windows(params)
        if not self.classes:
            raise FieldError(f"{spec}: expected num_classes above 0, got none")

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """The shape for one detection, as in Caffe before the first forward; the real count depends on scores."""
        self._require_shapes(*bottom_shapes)
        return [(1, 1, 1, 7)]

    def sample_bottoms(self, random: np.random.Generator, *bottom_shapes: Shape) -> dict[int, NDArray[np.float64]]:
        """Offsets of about 1, scores that add up to 1 per prior, and priors within the image with SSD's variances."""
        offsets, scores, priors = bottom_shapes
        count = priors[2] // 4
        corners = np.sort(random.uniform(0, 1, (count, 2, 2)), axis=1) * 0.9
        corners[:, 1] += 0.1  # no empty box
        variances = np.tile([0.1, 0.1, 0.2, 0.2], count)
        shares = random.dirichlet(np.ones(self.classes), math.prod(scores) // self.classes)
        boxes = np.concatenate([corners.ravel(), variances]).reshape(priors)
        return {0: random.normal(0, 1, offsets), 1: shares.reshape(scores), 2: boxes}

    def forward(self, offsets: Tensor, scores: Tensor, priors: Tensor) -> Tensor:
        self._require_shapes(offsets.shape, scores.shape, priors.shape)
        boxes = self._boxes(offsets, priors)
        rows: Tensor = detections_of_ssd(
            boxes,
            self._scores(scores, boxes),
            background=self.background,
            least_score=self.least_score,
            looked_at_most=self.looked_at_most,
            most_overlap=self.most_overlap,
            eta=self.eta,
            kept_at_most=self.kept_at_most,
        )
        return rows[None, None].to(offsets.device)

    def _require_shapes(self, offsets: Shape, scores: Shape, priors: Shape) -> None:
        locations = 1 if self.shares_location else self.classes
        count = priors[2] // 4 if len(priors) == 3 else 0
        if tuple(priors) != (1, 2, count * 4) or not offsets or math.prod(offsets[1:]) != count * locations * 4:
            raise ShapeError(
                f"{self.spec}: expected priors (1, 2, 4 priors) and {locations} x 4 offsets a prior, "
                f"got {list(priors)} and {list(offsets)}"
            )
        if scores[:1] != offsets[:1] or math.prod(scores[1:]) != count * self.classes:
            raise ShapeError(
                f"{self.spec}: expected {offsets[0]} x {count * self.classes} scores (priors x classes), "
                f"got {list(scores)}"
            )

    def _boxes(self, offsets: Tensor, priors: Tensor) -> Tensor:
        """Decoded boxes (N, priors, 1 or classes, 4), on the CPU, where the search for overlaps is faster."""
        locations = 1 if self.shares_location else self.classes
        count = priors.shape[2] // 4
        means, variances = priors.detach().cpu().reshape(2, count, 1, 4)
        moved = offsets.detach().cpu().reshape(-1, count, locations, 4)
        return self.decode(means, moved if self.has_encoded_variance else variances * moved)

    def _scores(self, scores: Tensor, boxes: Tensor) -> Tensor:
        """The scores as (N, classes, priors)."""
        items, priors = boxes.shape[:2]
        return scores.detach().cpu().reshape(items, priors, self.classes).transpose(1, 2)

    def _read_suppression(self, params: Params) -> None:
        self.most_overlap: float = params.nms_threshold
        self.eta: float = params.eta
        self.looked_at_most: int = params.top_k if params.has("top_k") else -1
        if self.most_overlap < 0 or not 0 < self.eta <= 1:
            raise FieldError(
                f"{self.spec}: expected nms_threshold of at least 0 and eta in (0, 1], "
                f"got {self.most_overlap:g} and {self.eta:g}"
            )

    def _leave_out_files_and_windows(self, params: Params) -> None:
        params.ignore(*ABOUT_FILES)
        message = self.spec.parameter.detection_output_param
        if message.save_output_param.output_directory or message.visualize:
            logger.warning("%s: writes no result files and shows no windows: save the top's boxes yourself", self.spec)
