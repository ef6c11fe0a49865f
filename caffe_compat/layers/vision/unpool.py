"""Elements put at the places that a mask of MAX pooling holds: what Upsample and Unpooling do."""

from torch import Tensor

from caffe_compat.errors import ShapeError
from caffe_compat.layers.base import is_transformed
from caffe_compat.layers.spec import LayerSpec


def places_of(spec: LayerSpec, mask: Tensor, height: int, width: int) -> Tensor:
    """The indices (N, C, places) of a mask (N, C, h, w). Raises ShapeError for one outside of height x width.

    Inside of torch's compilers and transforms, which cannot look at values, the scatter itself refuses such an index.
    """
    places = mask.detach().long().flatten(2)
    if not (places.is_meta or is_transformed()) and bool(((places < 0) | (places >= height * width)).any()):
        raise ShapeError(
            f"{spec}: expected mask indices below {height}x{width}, got {int(places.max())}; "
            "scale or size must match the pooling that made the mask"
        )
    return places


def unpool(bottom: Tensor, places: Tensor, height: int, width: int) -> Tensor:
    """(N, C, height, width): each element at its index of `places`, 0 elsewhere."""
    top = bottom.new_zeros(*bottom.shape[:2], height * width)
    return top.scatter(2, places, bottom.flatten(2)).reshape(*top.shape[:2], height, width)
