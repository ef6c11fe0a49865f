"""YoloDetectionOutput of MobileNet-YOLO: turns the grid of a YOLO v2 net into a list of boxes."""

import torch
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, between
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.utility.boxes import detections_of_yolo

#: Numbers of a box before those of its classes: centre (x, y), width, height, and whether there is an object.
ABOUT_BOX = 5


@register_layer("YoloDetectionOutput")
class YoloDetectionOutput(Layer):
    """Top (1, 1, detections, 7): 0, class from 1 on, score, xmin, ymin, xmax, ymax, as fractions of the image size.

    Bottoms, one or two, are grids (N, num_box * (5 + num_classes), side, side). Each place predicts num_box boxes: the
    centre by sigmoids within the place, sizes by exp times `biases`, in places. The score is the sigmoid of the object
    times the softmax of its class. Boxes are kept from the highest score on, without those that overlap a kept one by
    nms_threshold or more, whatever their class. Without a detection, the top has a row per item: its number, then six
    times -1. As in the original, the items of a batch are not told apart. From eric612/MobileNet-YOLO
    (yolo_detection_output_layer.cpp).
    """

    known_to = ("YOLO ports",)
    meanings = (Meaning("MobileNet-YOLO", "boxes of one or two grids of YOLO v2", "yolo_detection_output_param"),)
    tops_have_batch = False
    example = "yolo_detection_output_param { num_classes: 1 num_box: 1 biases: 1 biases: 1 }"
    is_discrete = True
    is_in_onnx = False
    bottoms = between(1, 2)
    no_gradient_to = True
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("yolo_detection_output_param")
        params.ignore("side", "coords", "label_map_file")  # the original reads none of these for its boxes
        self.classes: int = params.num_classes
        self.boxes: int = params.num_box
        self.least_score: float = params.confidence_threshold
        self.most_overlap: float = params.nms_threshold
        self.biases: list[float] = params.biases
        if not self.classes or not self.boxes or len(self.biases) != 2 * self.boxes:
            raise FieldError(
                f"{spec}: expected num_classes and num_box above 0 and two biases per box, got {self.classes}, "
                f"{self.boxes} and {len(self.biases)} biases"
            )

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """The shape for one detection, as in Caffe before the first forward; the real count depends on scores."""
        channels = self.boxes * (ABOUT_BOX + self.classes)
        for shape in bottom_shapes:
            if len(shape) != 4 or shape[1] != channels or shape[2] != shape[3]:
                raise ShapeError(
                    f"{self.spec}: expected {channels} channels, num_box * (5 + num_classes), and as many rows as "
                    f"columns, got {list(shape)}"
                )
        return [(1, 1, 1, 7)]

    def forward(self, *grids: Tensor) -> Tensor:
        self.top_shapes(*(grid.shape for grid in grids))
        found = torch.cat([self._candidates(grid.detach().cpu()) for grid in grids])
        rows: Tensor = detections_of_yolo(found, grids[0].shape[0], self.most_overlap)
        return rows[None, None].to(grids[0].device)

    def _candidates(self, grid: Tensor) -> Tensor:
        """Boxes with a score of at least confidence_threshold, (candidates, 6): class, score and corners."""
        count, _, side, _ = grid.shape
        numbers = grid.reshape(count, self.boxes, ABOUT_BOX + self.classes, side, side).permute(0, 3, 4, 1, 2)
        place = torch.arange(side, dtype=grid.dtype)
        x = (place[:, None] + numbers[..., 0].sigmoid()) / side
        y = (place[:, None, None] + numbers[..., 1].sigmoid()) / side
        sizes = numbers[..., 2:4].exp() * grid.new_tensor(self.biases).reshape(self.boxes, 2) / side
        chances, labels = numbers[..., ABOUT_BOX:].softmax(dim=-1).max(dim=-1)
        scores = numbers[..., 4].sigmoid() * chances
        centres, halves = torch.stack([x, y], dim=-1), sizes / 2
        boxes = torch.cat([labels[..., None] + 1.0, scores[..., None], centres - halves, centres + halves], dim=-1)
        return boxes[scores >= self.least_score].to(grid.dtype)
