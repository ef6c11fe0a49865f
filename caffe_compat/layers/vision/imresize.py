"""ImResize of OpenPose's first Caffe (caffe_rtpose)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.new_blobs import MOST_VALUES
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.vision.interpolation import resampled, scaled_size
from caffe_compat.layers.windows import require_four_axes

#: Keeps a place that float32 puts just below a whole number from taking the number before it.
_ROUNDING = np.float32(1e-5)


@register_layer("ImResize")
class ImResize(Layer):
    """Enlarges every image of the batch by cubic interpolation and averages them: (1, C, height, width).

    The batch holds an image at several scales, each padded to the same size. Image n fills the middle of its plane:
    half of the size times (1 - start_scale + n * scale_gap), rounded down, is cut off at each side first. The size
    is the bottom's times `factor`, or else target_spatial_height x target_spatial_width. From the GPU code of
    CMU-Perceptual-Computing-Lab/caffe_rtpose (imresize_layer.cu), where a cubic through v0 ... v3 is Catmull and Rom's.
    """

    known_to = ("OpenPose",)
    meanings = (
        Meaning("OpenPose, on a GPU", "Catmull and Rom's cubic, the mean over the batch", "nothing in the text"),
        Meaning("OpenPose, on a CPU", "OpenCV's cubic, of other weights", "nothing in the text", "runs as on a GPU"),
    )
    example = "imresize_param { factor: 2 }"
    tops_have_batch = False
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("imresize_param")
        self.factor: float = params.factor
        self.target: tuple[int, int] = (params.target_spatial_height, params.target_spatial_width)
        self.start_scale: float = params.start_scale
        self.scale_gap: float = params.scale_gap
        if not np.isfinite([self.factor, self.start_scale, self.scale_gap]).all():
            raise FieldError(
                f"{spec}: expected numbers in factor, start_scale and scale_gap, got {self.factor:g}, "
                f"{self.start_scale:g} and {self.scale_gap:g}"
            )
        if self.factor < 0 or min(self.target) < 1:
            raise FieldError(f"{spec}: expected a factor and sizes above 0, got {self.factor:g} and {self.target}")

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        bottom = bottom_shapes[0]
        require_four_axes(self.spec, bottom)
        sizes = self.target if not self.factor else [scaled_size(size, self.factor) for size in bottom[2:]]
        for image in range(0 if torch.compiler.is_compiling() else bottom[0]):  # `cubic_weights` looks at them then
            left = [size - 2 * _cut(size, image, self.start_scale, self.scale_gap) for size in bottom[2:]]
            if min(*left, *sizes) < 1 or any(more > size for more, size in zip(left, bottom[2:], strict=True)):
                raise ShapeError(
                    f"{self.spec}: expected places left of image {image} after start_scale and scale_gap, and a start_"
                    f"scale of at most 1; got {left} places for a top of {list(sizes)}"
                )
        return [(1, bottom[1], *sizes)]

    def forward(self, bottom: Tensor) -> Tensor:
        (shape,) = self.top_shapes(bottom.shape)
        total = bottom.new_zeros(shape)
        for image in range(bottom.shape[0]):
            rows, columns = (matrix.to(bottom) for matrix in self.weights(image, bottom.shape, shape))
            total = total + resampled(bottom[image : image + 1], rows, columns)
        return total / bottom.shape[0]

    def weights(self, image: int, bottom: Shape, top: Shape) -> list[Tensor]:
        """The float64 matrices (top size, bottom size) for height and width of an image of the batch."""
        return [
            cubic_weights(old, new, image, self.start_scale, self.scale_gap)
            for old, new in zip(bottom[2:], top[2:], strict=True)
        ]


def _cut(size: int, image: int, start_scale: float, scale_gap: float) -> int:
    """How many places are cut off at each side of an image, computed in float32 as in the original."""
    with np.errstate(over="ignore", invalid="ignore"):  # of a scale that `top_shapes` refuses
        cut = np.float32(size // 2) * (1 - np.float32(start_scale) + np.float32(image) * np.float32(scale_gap))
    return int(np.clip(np.nan_to_num(np.floor(cut)), -MOST_VALUES, MOST_VALUES))


# An operator of torch, because no compiler can follow NumPy.
@torch.library.custom_op("caffe_compat::cubic_weights", mutates_args=())
def cubic_weights(size: int, new: int, image: int, start_scale: float, scale_gap: float) -> Tensor:
    """The float64 matrix (new, size) of the cubic through four places of an image of the batch.

    Places are found in float32, and stay within the cut. ShapeError if the cut leaves no places.
    """
    cut = _cut(size, image, start_scale, scale_gap)
    left = size - 2 * cut
    if not 0 < left <= size:
        raise ShapeError(f"ImResize: expected 1 to {size} places left of image {image}, got {left}")
    middle = np.float32(np.float64(np.float32(new) / np.float32(left) / 2) - 0.5)
    places = (np.arange(new, dtype=np.float32) - middle) * (np.float32(left) / np.float32(new))
    first = np.maximum((places + _ROUNDING).astype(np.int64), 0)
    share = (places - first.astype(np.float32)).astype(np.float64)
    third = np.minimum(first + 1, left - 1)
    neighbours = (np.maximum(first - 1, 0), first, third, np.minimum(third + 1, left - 1))
    weights = np.zeros((new, size))
    for neighbour, weight in zip(neighbours, _cubic(share), strict=True):
        np.add.at(weights, (np.arange(new), neighbour + cut), weight)
    return torch.from_numpy(weights)


@cubic_weights.register_fake
def _(size: int, new: int, _image: int, _start_scale: float, _scale_gap: float) -> Tensor:
    return torch.empty(new, size, dtype=torch.float64)


def _cubic(share: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """What the four neighbours weigh at a share of the way between the second and the third."""
    square, cube = share**2, share**3
    return (
        -0.5 * cube + square - 0.5 * share,
        1.5 * cube - 2.5 * square + 1,
        -1.5 * cube + 2 * square + 0.5 * share,
        0.5 * cube - 0.5 * square,
    )
