"""ImageData: reads the image files named in a list."""

from caffe_compat.data.sources.image_list import ImageList, read_labels
from caffe_compat.data.transform import Transform
from caffe_compat.errors import FieldError
from caffe_compat.layers.base import exactly
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.data.base_data import PrefetchingData
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import LayerSpec


@register_layer("ImageData")
class ImageData(PrefetchingData):
    """Images with labels: one number per image, or a line of numbers from `label_source` (our extension)."""

    known_to = BVLC_AND_SRN
    example = "image_data_param { source: 'FILES/images.txt' root_folder: 'FILES/' }"
    tops = exactly(2)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("image_data_param")
        size = (params.new_height, params.new_width)
        if bool(size[0]) != bool(size[1]):
            raise FieldError(
                f"{spec}: new_height and new_width must be set at the same time, got {size[0]} and {size[1]}"
            )
        transform = Transform(spec.params("transform_param"), spec.phase, str(spec))
        labels = read_labels(params.label_source, str(spec)) if params.label_source else None
        self.source = ImageList(params.source, str(spec), params.root_folder, size, params.is_color, labels)
        self.start(self.source, transform, params.batch_size, params.shuffle, params.rand_skip)
