"""TEST nets see whole images at the input's size, and training crops of pictures a little larger, from either store."""

import cv2
import numpy as np
import pytest

from caffe_compat.layers.data.base_data import PrefetchingData
from caffe_compat.net.build import build_net
from caffe_compat.proto import caffe_pb2
from caffe_compat.srn.datasets.outcomes import PictureRules
from caffe_compat.srn.datasets.own.data import OwnSplit, own_data
from caffe_compat.srn.datasets.prepare import prepare
from tests.data.made_files import read_picture
from tests.prototxt_gen.generated import training_net
from tests.srn.datasets.synthetic_images import write_image

SIDE, LARGER = 70, 80  # 8/7 of 70
MEAN = np.array([104, 117, 123], np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with both stores of four images of different sizes, and the images' folder."""
    raw = tmp_path_factory.mktemp("whole")
    rows = []
    for number, (height, width) in enumerate([(90, 120), (100, 75), (200, 96), (70, 70)]):
        write_image(raw / f"{number}.png", number, height=height, width=width)
        rows.append(f"{number}.png,{number % 2},1,{'train' if number < 2 else 'test'}\n")
    (raw / "all.csv").write_text("image,a,b,split\n" + "".join(rows))
    table = OwnSplit(raw / "all.csv")
    rules = PictureRules(size=LARGER, test_size=SIDE, folder=True)
    prepare(own_data({"train": table, "test": table}), raw / "data", rules, 1)
    return raw


def batch(data, source, phase, **options):
    """The first batch of a generated net's data layers: images and labels."""
    net = training_net(model="resnet101", data=str(data / "data"), source=source, input_size=SIDE, batch_size=2,
                       depth=26, width=2, step="1", mirror=False, **options)  # fmt: skip
    readers = [layer for layer in net.layer if layer.type in ("Data", "ImageData")]
    del net.layer[:]
    net.layer.extend(readers)
    built = build_net(net, caffe_pb2.NetState(phase=phase))
    built.forward_range(0, len(built.steps) - 1)
    found = built.blobs["data"].data.copy(), built.blobs["label"].data[:, :, 0, 0].copy()
    for step in built.steps:
        if isinstance(step.layer, PrefetchingData):
            step.layer.close()
    return found


def whole(data, number, side):
    picture = cv2.resize(read_picture(data / f"{number}.png"), (side, side)).astype(np.float32)
    return (picture - MEAN).transpose(2, 0, 1)


@pytest.mark.parametrize("source", ["lmdb", "folder"])
def test_test_nets_see_whole_images(data, source):
    images, labels = batch(data, source, caffe_pb2.TEST)
    np.testing.assert_array_equal(images, [whole(data, number, SIDE) for number in (2, 3)])
    np.testing.assert_array_equal(labels, [[0, 1], [1, 1]])


@pytest.mark.parametrize("source", ["lmdb", "folder"])
def test_training_crops_come_from_larger_pictures(data, source):
    images, labels = batch(data, source, caffe_pb2.TRAIN, random_seed=1)
    np.testing.assert_array_equal(labels, [[0, 1], [1, 1]])
    for image, number in zip(images, (0, 1), strict=True):
        larger = whole(data, number, LARGER)
        places = range(LARGER - SIDE + 1)
        assert any(
            np.array_equal(image, larger[:, top : top + SIDE, left : left + SIDE]) for top in places for left in places
        )
