import cv2
import numpy as np
import pytest

from caffe_compat.errors import GraphError, ShapeError
from caffe_compat.net.build import load_net
from caffe_compat.srn.prediction.attention_maps import attend, attention_blobs

HEAD = 'input: "data" input_shape { dim: 4 dim: 3 dim: 6 dim: 8 }\n'
CONVOLUTION = """layer {{ name: "{0}" type: "Convolution" bottom: "data" top: "{0}"
    convolution_param {{ num_output: 5 kernel_size: 2 stride: 2 weight_filler {{ type: "gaussian" std: 0.1 }} }} }}
"""


def net_with(tmp_path, *blobs):
    path = tmp_path / "net.prototxt"
    path.write_text(HEAD + "".join(CONVOLUTION.format(blob) for blob in blobs))
    return load_net(str(path), "TEST")


@pytest.fixture
def image(tmp_path):
    cv2.imwrite(str(tmp_path / "image.png"), np.random.default_rng(1).integers(0, 256, (12, 16, 3), dtype=np.uint8))
    return str(tmp_path / "image.png")


@pytest.mark.parametrize("pair", [("att_map", "srn_weighted"), ("att.att_Reshape_6", "comb.comb_Eltwise_0")])
def test_generated_and_released_names_are_known(tmp_path, pair):
    assert attention_blobs(net_with(tmp_path, *pair)) == pair


def test_a_net_without_weights_has_no_u_and_other_names_can_be_given(tmp_path):
    assert attention_blobs(net_with(tmp_path, "att_map", "mine")) == ("att_map", None)
    assert attention_blobs(net_with(tmp_path, "other", "mine"), "mine", "other") == ("mine", "other")


def test_a_net_without_attention_is_an_error(tmp_path):
    with pytest.raises(
        GraphError, match=r"^net '': no attention map att_map or att.att_Reshape_6; give the deploy net"
    ):
        attention_blobs(net_with(tmp_path, "y"))


def test_maps_and_scores_are_those_of_one_image(tmp_path, image):
    net = net_with(tmp_path, "att_map", "srn_weighted", "zzz")
    maps = attend(net, attention_blobs(net), image, "zzz")

    assert maps.weighted is not None
    assert maps.attention.shape == maps.weighted.shape == (5, 3, 4)
    np.testing.assert_array_equal(maps.attention, net.blobs["att_map"].data[0])
    np.testing.assert_array_equal(maps.scores, net.blobs["zzz"].data[0].ravel())


def test_a_blob_that_is_no_map_is_an_error(tmp_path, image):
    path = tmp_path / "flat.prototxt"
    path.write_text(
        HEAD + 'layer { name: "f" type: "Flatten" bottom: "data" top: "att_map" }',
    )
    net = load_net(str(path), "TEST")
    with pytest.raises(
        ShapeError, match=r"^blob 'att_map': expected maps \(labels, height, width\) of an image, found"
    ):
        attend(net, attention_blobs(net), image)
