"""VideoData: snippets of video frames, for temporal segment networks. From the SRN fork."""

from caffe_compat.data.sources.video_frames import Snippets, VideoFrames
from caffe_compat.data.transform import Transform
from caffe_compat.errors import FieldError
from caffe_compat.layers.base import exactly
from caffe_compat.layers.data.base_data import PrefetchingData
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import LayerSpec


@register_layer("VideoData")
class VideoData(PrefetchingData):
    """`new_length` frames from each of `num_segments` parts of a video, as channels, and the video's label."""

    tops = exactly(2)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("video_data_param")
        params.ignore("encoded")  # the fork never reads it: frames are image files
        if min(params.num_segments, params.new_length) < 1:
            raise FieldError(
                f"{spec}: num_segments and new_length must be positive, "
                f"got {params.num_segments} and {params.new_length}"
            )
        source = VideoFrames(
            params.source,
            str(spec),
            Snippets(params.num_segments, params.new_length),
            params.modality,
            params.name_pattern,
            (params.new_height, params.new_width),
            train=spec.phase == "TRAIN",
        )
        transform = Transform(spec.params("transform_param"), spec.phase, str(spec))
        self.start(source, transform, params.batch_size, params.shuffle, params.rand_skip)
