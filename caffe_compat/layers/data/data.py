"""Data: reads records of an LMDB or LevelDB."""

import cv2

from caffe_compat.data.sources.datums import Datums
from caffe_compat.data.transform import Transform, decode_flag
from caffe_compat.layers.base import between
from caffe_compat.layers.caffes import BVLC_AND_SRN
from caffe_compat.layers.data.base_data import PrefetchingData
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import LayerSpec


@register_layer("Data")
class Data(PrefetchingData):
    """Reads Datum messages: images, or labels in the released format (C x 1 x 1 floats). Top 1 is Datum.label.

    `shuffle` is a field of the SRN fork: each epoch has a new permutation, but the fork reads its first epoch in order.
    `source` may be a folder, a pattern or a list file.
    """

    known_to = BVLC_AND_SRN
    example = "data_param { source: 'FILES/records' backend: LMDB batch_size: 1 }"
    tops = between(1, 2)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("data_param")
        changes = spec.params("transform_param")
        flag = decode_flag(changes.force_color, changes.force_gray, str(spec))
        flag = cv2.IMREAD_COLOR if params.force_encoded_color else flag
        self.source = Datums(params.source, params.backend, flag, str(spec))
        transform = Transform(changes, spec.phase, str(spec), raw=not self.source.are_encoded())
        self.start(self.source, transform, params.batch_size, params.shuffle, params.rand_skip, params.prefetch)
