"""PriorBox of SSD: the boxes to which SSD's predicted offsets refer."""

import math

import torch
from torch import Tensor

from caffe_compat.errors import FieldError, ShapeError
from caffe_compat.layers.base import Layer, LayerSpec, Shape, exactly
from caffe_compat.layers.caffes import Meaning
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import Params

#: Aspect ratios closer than this count as equal.
SAME_RATIO = 1e-6
DEFAULT_VARIANCE = 0.1

Pair = tuple[float, float]


@register_layer("PriorBox")
class PriorBox(Layer):
    """Top (1, 2, 4 boxes): boxes (xmin, ymin, xmax, ymax) around each place of bottom 0, as fractions of the image.

    Bottom 1 is the image. Each place has, per min_size: a square of min_size, a square of sqrt(min_size * max_size),
    and a box per aspect ratio other than 1. min_size and max_size are truncated to whole numbers. Row 1 of the top
    holds the variances. From weiliu89/caffe (prior_box_layer.cpp). `width_by_ratio` gives the boxes of BestSonny/SSTD:
    min_size, not truncated, is the height and ratio * min_size the width, and `flip` adds the same boxes upright.
    """

    known_to = ("SSD",)
    meanings = (
        Meaning(
            "SSD",
            "boxes of a feature map",
            "prior_box_param",
        ),
        Meaning(
            "SSTD",
            "other boxes for aspect ratios: min_size high and ratio times as wide",
            "factor_height or factor_width in a MaskResize, or a type that only SSTD has",
            "runs so; width_by_ratio settles it",
        ),
        Meaning(
            "Cambricon, pose forks",
            "further boxes by p_type and inner_scale",
            "these fields",
            "refused",
        ),
    )
    tops_have_batch = False
    example = "prior_box_param { min_size: 1 }"
    bottoms = exactly(2)
    no_gradient_to = True
    allows_in_place = False

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("prior_box_param")
        self.sizes = self._sizes(params)
        self.is_clipped: bool = params.clip
        self.variance = self._variance(params)
        self.image = self._pair(params, "img_size", "img")
        self.step = self._pair(params, "step", "step")
        self.offset: float = params.offset

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        features, image = bottom_shapes
        if len(features) != 4 or len(image) != 4:
            raise ShapeError(f"{self.spec}: expected two bottoms of 4 axes, got {list(features)} and {list(image)}")
        return [(1, 2, features[2] * features[3] * len(self.sizes) * 4)]

    def forward(self, features: Tensor, image: Tensor) -> Tensor:
        self.top_shapes(features.shape, image.shape)
        height, width = self.image or (image.shape[2], image.shape[3])
        centres = self._centres(features, height, width)
        halves = features.new_tensor(self.sizes) / 2
        corners = torch.cat([centres - halves, centres + halves], dim=3)
        # Filled, since a list of numbers would fix the image's size in what torch.export makes.
        sides = torch.cat([features.new_full((1,), side) for side in (width, height)])
        corners = corners / sides.repeat(2)
        boxes = corners.clamp(0, 1) if self.is_clipped else corners
        variance = features.new_tensor(self.variance).expand_as(boxes)
        return torch.stack([boxes.flatten(), variance.flatten()])[None]

    def _centres(self, features: Tensor, height: float, width: float) -> Tensor:
        """The centre (x, y) of each place, (rows, columns, 1, 2), in pixels of the image."""
        rows, columns = features.shape[2:]
        down, right = self.step or (height / rows, width / columns)
        y = (torch.arange(rows, dtype=features.dtype, device=features.device) + self.offset) * down
        x = (torch.arange(columns, dtype=features.dtype, device=features.device) + self.offset) * right
        return torch.stack([x.expand(rows, columns), y[:, None].expand(rows, columns)], dim=2)[:, :, None]

    def _sizes(self, params: Params) -> list[Pair]:
        """Width and height of the boxes of a place, in pixels."""
        smallest, largest = params.min_size, params.max_size
        if not smallest or min(smallest) <= 0 or math.inf in (*smallest, *largest):
            raise FieldError(f"{self.spec}: expected min_size, above 0, and finite sizes, got {smallest}")
        if largest and (len(largest) != len(smallest) or any(b <= a for a, b in zip(smallest, largest, strict=True))):
            raise FieldError(
                f"{self.spec}: expected a max_size above it for every min_size, or none, got {largest} for {smallest}"
            )
        if params.width_by_ratio:
            return self._sizes_of_sstd(params)
        ratios = self._ratios(params)
        sizes: list[Pair] = []
        # Truncated with int(), because Caffe reads min_size and max_size into int variables (prior_box_layer.cpp).
        for index, size in enumerate(map(int, smallest)):
            sizes.append((size, size))
            sizes += [(math.sqrt(size * int(largest[index])),) * 2] if largest else []
            sizes += [(size * math.sqrt(ratio), size / math.sqrt(ratio)) for ratio in ratios]
        return sizes

    def _sizes_of_sstd(self, params: Params) -> list[Pair]:
        ratios = [ratio for ratio in dict.fromkeys(params.aspect_ratio) if abs(ratio - 1) >= SAME_RATIO]
        sizes: list[Pair] = []
        for index, size in enumerate(params.min_size):
            sizes.append((size, size))
            sizes += [(math.sqrt(size * int(params.max_size[index])),) * 2] if params.max_size else []
            sizes += [(size * ratio, size) for ratio in ratios]
            sizes += [(size, size * ratio) for ratio in ratios] if params.flip else []
        return sizes

    def _ratios(self, params: Params) -> list[float]:
        """The distinct aspect ratios other than 1; with `flip`, each is followed by its inverse."""
        known = [1.0]
        flip: bool = params.flip
        for ratio in params.aspect_ratio:
            if not 0 < ratio < math.inf:
                raise FieldError(f"{self.spec}: expected aspect_ratio above 0, got {ratio:g}")
            if all(abs(ratio - other) >= SAME_RATIO for other in known):
                known += [ratio, 1 / ratio] if flip else [ratio]
        return known[1:]

    def _variance(self, params: Params) -> list[float]:
        variance: list[float] = params.variance or [DEFAULT_VARIANCE]
        if len(variance) not in (1, 4) or min(variance) <= 0:
            raise FieldError(f"{self.spec}: expected 1 or 4 values of variance, above 0, got {variance}")
        return variance

    def _pair(self, params: Params, one: str, pair: str) -> Pair | None:
        """(height, width) from a field for both or from two separate fields; None if nothing is set."""
        sides = [f"{pair}_h", f"{pair}_w"]
        given = [side for side in sides if params.has(side)]
        if len(given) == 1 or (given and params.has(one)):
            raise FieldError(
                f"{self.spec}: expected {one}, or both of {' and '.join(sides)}, got {given[0]} and others"
            )
        if not given and not params.has(one):
            return None
        height, width = (getattr(params, side if given else one) for side in sides)
        if min(height, width) <= 0:
            raise FieldError(
                f"{self.spec}: expected {one}, or {' and '.join(sides)}, above 0, got {height:g}, {width:g}"
            )
        return height, width
