"""Nms of OpenPose's first Caffe (caffe_rtpose): finds the peaks of maps of body parts."""

import torch
from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.windows import require_positive

#: Places on each side of a peak whose mean, weighted by their values, is the peak's position.
REACH = 3


@register_layer("Nms")
class Nms(Layer):
    """Top (N, num_parts, max_peaks + 1, 3): per map, first the number of its peaks, then x, y and value of each.

    A peak is above `threshold` and above its eight neighbours; places at the border are none. Peaks come row by row,
    and those after max_peaks are only counted. x and y are means over 7 x 7 places, weighted by their values where
    these are above 0. From the GPU code of CMU-Perceptual-Computing-Lab/caffe_rtpose (nms_layer.cu): it compares rows
    with the width, too, so that near the lower border of a wide map the mean takes in the first rows of the next map.
    """

    known_to = ("OpenPose",)
    meanings = (
        Meaning("OpenPose, on a GPU", "peaks of maps, as means of 7 x 7 places", "nms_param with num_parts"),
        Meaning("OpenPose, on a CPU", "peaks of one map, at whole places", "nothing in the text", "runs as on a GPU"),
    )
    example = "nms_param { num_parts: 1 }"
    is_discrete = True
    is_in_onnx = False
    no_gradient_to = True
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("nms_param")
        params.ignore("num_peak")  # of an older version, which the released program does not read
        self.threshold: float = params.threshold
        self.parts: int = params.num_parts
        self.most: int = params.max_peaks
        require_positive(spec, "num_parts and max_peaks", (self.parts, self.most))

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        bottom = bottom_shapes[0]
        if len(bottom) != 4 or bottom[1] < self.parts:
            raise ShapeError(f"{self.spec}: expected 4 axes and at least {self.parts} channels, got {list(bottom)}")
        return [(bottom[0], self.parts, self.most + 1, 3)]

    def forward(self, bottom: Tensor) -> Tensor:
        self.top_shapes(bottom.shape)
        top: Tensor = peaks(bottom.detach(), self.parts, self.most, self.threshold)
        return top


# An operator of torch, because no compiler can follow a number of peaks that depends on values.
@torch.library.custom_op("caffe_compat::peaks", mutates_args=())
def peaks(maps: Tensor, parts: int, most: int, threshold: float) -> Tensor:
    """The top of Nms for maps (N, C, height, width), with `most` peaks of each of N * `parts` maps."""
    top = maps.new_zeros(maps.shape[0], parts, most + 1, 3)
    numbers = maps.flatten()
    for index, of_map in enumerate(top.view(-1, most + 1, 3)):
        _fill(of_map, numbers, index, maps.shape[2], maps.shape[3], threshold)
    return top


@peaks.register_fake
def _(maps: Tensor, parts: int, most: int, _threshold: float) -> Tensor:
    return maps.new_empty(maps.shape[0], parts, most + 1, 3)


def _fill(top: Tensor, numbers: Tensor, index: int, height: int, width: int, threshold: float) -> None:
    """Writes the peaks of the map that begins at place `index` * height * width of the blob's numbers."""
    first = index * height * width
    rows, columns = _peaks_of(numbers[first : first + height * width].view(height, width), threshold)
    top[0, 0] = len(rows)
    rows, columns = rows[: len(top) - 1], columns[: len(top) - 1]
    around = torch.arange(-REACH, REACH + 1, device=top.device)
    y, x = rows[:, None, None] + around[:, None], columns[:, None, None] + around
    places = first + y * width + x
    near = (y > 0) & (y < width) & (x > 0) & (x < width) & (places < len(numbers))
    weights = numbers[places.clamp(0, len(numbers) - 1)].clamp(min=0) * near
    total = weights.sum(dim=(1, 2))
    positions = [(weights * axis).sum(dim=(1, 2)) / total for axis in (x, y)]
    top[1 : len(rows) + 1] = torch.stack([*positions, numbers[first + rows * width + columns]], dim=1)


def _peaks_of(plane: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Rows and columns of the peaks of a map (height, width)."""
    if min(plane.shape) < 3:
        return (torch.zeros(0, dtype=torch.long, device=plane.device),) * 2
    inner = plane[1:-1, 1:-1]
    height, width = inner.shape
    neighbours = [plane[y : y + height, x : x + width] for y in range(3) for x in range(3) if (y, x) != (1, 1)]
    above = (inner > threshold) & (inner > torch.stack(neighbours).amax(dim=0))
    rows, columns = above.nonzero(as_tuple=True)
    return rows + 1, columns + 1
