"""VideoData: snippets of video frames, for temporal segment networks. From the SRN fork."""

from torch import Tensor

from caffe_compat.data.sources.video_frames import Snippets, VideoFrames
from caffe_compat.data.transform import Transform
from caffe_compat.errors import FieldError
from caffe_compat.layers.base import Shape, exactly
from caffe_compat.layers.caffes import SRN_FORK, Meaning
from caffe_compat.layers.data.base_data import PrefetchingData
from caffe_compat.layers.registry import register_layer
from caffe_compat.layers.spec import LayerSpec

#: Largest number of frames per item; each frame is a file to read.
MOST_FRAMES = 10_000


@register_layer("VideoData")
class VideoData(PrefetchingData):
    """Reads `new_length` frames from each of `num_segments` parts of a video.

    Top 0 holds the frames as channels. Top 1 holds labels (num, 1, 1, 1).
    """

    known_to = (SRN_FORK,)
    meanings = (
        Meaning(
            "SRN, TSN",
            "segments of frames named in a list",
            "video_data_param of TSN",
        ),
        Meaning(
            "C3D",
            "clips of frames or videos",
            "use_image, sampling_rate, show_data and others",
            "refused",
        ),
        Meaning(
            "NVIDIA, Intel (SSD)",
            "a camera or a video file",
            "video_type, video_file",
            "refused",
        ),
    )
    example = "video_data_param { source: 'FILES/videos.txt' batch_size: 1 modality: RGB }"
    tops = exactly(2)

    def __init__(self, spec: LayerSpec) -> None:
        super().__init__(spec)
        params = spec.params("video_data_param")
        params.ignore("encoded")  # the fork never reads this field: frames are image files
        if min(params.num_segments, params.new_length) < 1:
            raise FieldError(
                f"{spec}: num_segments and new_length must be positive, "
                f"got {params.num_segments} and {params.new_length}"
            )
        frames = params.num_segments * params.new_length
        if frames > MOST_FRAMES:
            raise FieldError(f"{spec}: expected num_segments times new_length of at most {MOST_FRAMES}, got {frames}")
        source = VideoFrames(
            params.source,
            str(spec),
            Snippets(params.num_segments, params.new_length),
            params.modality,
            params.name_pattern,
            (params.new_height, params.new_width),
            train=spec.phase == "TRAIN",
        )
        transform = Transform(spec.params("transform_param"), spec.phase, str(spec), raw=True)
        self.start(source, transform, params.batch_size, params.shuffle, params.rand_skip)

    def top_shapes(self, *bottom_shapes: Shape) -> list[Shape]:
        """The shapes for the first record; labels have four axes only in this layer, as in the fork."""
        data, labels = super().top_shapes(*bottom_shapes)
        return [data, (*labels, 1, 1, 1)]

    def forward(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        """The next batch of frames and labels."""
        data, labels = super().forward(*bottoms)
        return data, labels.view(-1, 1, 1, 1)
