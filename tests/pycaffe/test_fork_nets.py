"""Shortened public nets of other Caffes: SegNet, YOLO v3, DeepLab and SSD, as their authors write them."""

from pathlib import Path

import numpy as np
import pytest
import torch

import caffe_compat as caffe

SEGNET = """
name: "segnet"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 18 dim: 22 } } }
layer { name: "label" type: "DummyData" top: "label" dummy_data_param { shape { dim: 2 dim: 1 dim: 18 dim: 22 } } }
layer { name: "norm" type: "LRN" bottom: "data" top: "norm" lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 } }
layer { name: "conv1" type: "Convolution" bottom: "norm" top: "conv1"
  convolution_param { num_output: 8 kernel_size: 7 pad: 3 weight_filler { type: "msra" } } }
layer { bottom: "conv1" top: "conv1" name: "conv1_bn" type: "BN"
  bn_param { scale_filler { type: "constant" value: 1 } shift_filler { type: "constant" value: 0.001 } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" top: "pool1_mask"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "pool2" type: "Pooling" bottom: "pool1" top: "pool2" top: "pool2_mask"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "upsample2" type: "Upsample" bottom: "pool2" bottom: "pool2_mask" top: "up2"
  upsample_param { scale: 2 upsample_w: 11 upsample_h: 9 } }
layer { name: "upsample1" type: "Upsample" bottom: "up2" bottom: "pool1_mask" top: "up1"
  upsample_param { scale: 2 } }
layer { name: "classify" type: "Convolution" bottom: "up1" top: "classify"
  convolution_param { num_output: 11 kernel_size: 7 pad: 3 weight_filler { type: "msra" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "classify" bottom: "label" top: "loss"
  softmax_param { engine: CAFFE } loss_param { ignore_label: 11 } }
layer { name: "accuracy" type: "Accuracy" bottom: "classify" bottom: "label" top: "accuracy" top: "per_class_accuracy" }
"""

YOLO = """
name: "Darknet2Caffe"
input: "data"
input_dim: 1
input_dim: 3
input_dim: 32
input_dim: 32
layer { bottom: "data" top: "layer1-conv" name: "layer1-conv" type: "Convolution"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 stride: 2 bias_term: false weight_filler { type: "msra" } } }
layer { bottom: "layer1-conv" top: "layer1-conv" name: "layer1-bn" type: "BatchNorm"
  batch_norm_param { use_global_stats: true } }
layer { bottom: "layer1-conv" top: "layer1-conv" name: "layer1-scale" type: "Scale" scale_param { bias_term: true } }
layer { bottom: "layer1-conv" top: "layer1-conv" name: "layer1-act" type: "ReLU" relu_param { negative_slope: 0.1 } }
layer { bottom: "layer1-conv" top: "layer2-maxpool" name: "layer2-maxpool" type: "Pooling"
  pooling_param { kernel_size: 2 stride: 2 pool: MAX ceil_mode: false } }
layer { bottom: "layer2-maxpool" top: "layer3-upsample" name: "layer3-upsample" type: "Upsample"
  upsample_param { scale: 2 } }
layer { bottom: "layer3-upsample" bottom: "layer1-conv" top: "layer4-route" name: "layer4-route" type: "Concat" }
"""

DEEPLAB = """
name: "DeepLab-LargeFOV"
input: "data"
input_dim: 1
input_dim: 3
input_dim: 33
input_dim: 33
layer { bottom: "data" top: "pool4" name: "pool4" type: "Pooling"
  pooling_param { pool: MAX kernel_size: 3 pad: 1 stride: 8 } }
layer { bottom: "pool4" top: "fc6" name: "fc6" type: "Convolution"
  convolution_param { num_output: 4 pad: 12 kernel_size: 3 hole: 12 weight_filler { type: "gaussian" std: 0.01 } } }
layer { bottom: "fc6" top: "fc6" name: "relu6" type: "ReLU" }
layer { bottom: "fc6" top: "fc8_interp" name: "fc8_interp" type: "Interp" interp_param { zoom_factor: 8 } }
"""

SSD = """
name: "VGG_VOC0712_SSD_300x300_deploy"
input: "data"
input_shape { dim: 2 dim: 3 dim: 40 dim: 56 }
layer { name: "conv4_3" type: "Convolution" bottom: "data" top: "conv4_3"
  convolution_param { num_output: 8 kernel_size: 3 stride: 8 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "conv4_3_norm" type: "Normalize" bottom: "conv4_3" top: "conv4_3_norm"
  norm_param { across_spatial: false scale_filler { type: "constant" value: 20 } channel_shared: false } }
layer { name: "loc" type: "Convolution" bottom: "conv4_3_norm" top: "loc"
  convolution_param { num_output: 16 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "loc_perm" type: "Permute" bottom: "loc" top: "loc_perm" permute_param { order: [0, 2, 3, 1] } }
layer { name: "mbox_loc" type: "Flatten" bottom: "loc_perm" top: "mbox_loc" flatten_param { axis: 1 } }
layer { name: "conf" type: "Convolution" bottom: "conv4_3_norm" top: "conf"
  convolution_param { num_output: 12 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "conf_perm" type: "Permute" bottom: "conf" top: "conf_perm" permute_param { order: [0, 2, 3, 1] } }
layer { name: "reshape" type: "Reshape" bottom: "conf_perm" top: "reshape" reshape_param { shape { dim: [0, -1, 3] } } }
layer { name: "softmax" type: "Softmax" bottom: "reshape" top: "softmax" softmax_param { axis: 2 } }
layer { name: "mbox_conf" type: "Flatten" bottom: "softmax" top: "mbox_conf" flatten_param { axis: 1 } }
layer { name: "mbox_priorbox" type: "PriorBox" bottom: "conv4_3_norm" bottom: "data" top: "mbox_priorbox"
  prior_box_param { min_size: 10 max_size: 20 aspect_ratio: 2 flip: true clip: false step: 8 offset: 0.5
    variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 } }
layer { name: "detection_out" type: "DetectionOutput" include { phase: TEST }
  bottom: "mbox_loc" bottom: "mbox_conf" bottom: "mbox_priorbox" top: "detection_out"
  detection_output_param { num_classes: 3 share_location: true background_label_id: 0 code_type: CENTER_SIZE
    nms_param { nms_threshold: 0.45 top_k: 400 } keep_top_k: 20 confidence_threshold: 0.01
    save_output_param { label_map_file: "data/VOC0712/labelmap_voc.prototxt" } } }
"""


def built(text: str, phase: int, folder: Path) -> caffe.Net:
    """The net of a file with this text, with a seeded image of N(0, 1)."""
    path = folder / "net.prototxt"
    path.write_text(text)
    torch.manual_seed(1)
    net = caffe.Net(str(path), phase)
    data = net.blobs["data"].data
    data[...] = np.random.default_rng(2).normal(size=data.shape)
    return net


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
@pytest.mark.parametrize(
    ("text", "blob", "shape"),
    [
        (SEGNET, "classify", (2, 11, 18, 22)),
        (YOLO, "layer4-route", (1, 16, 16, 16)),
        (DEEPLAB, "fc8_interp", (1, 4, 33, 33)),
        (SSD, "mbox_priorbox", (1, 2, 4 * 4 * 5 * 7)),
    ],
    ids=["segnet", "yolo", "deeplab", "ssd"],
)
def test_runs_as_it_is(text: str, blob: str, shape: tuple[int, ...], phase: int, tmp_path: Path) -> None:
    net = built(text, phase, tmp_path)
    net.forward()
    assert net.blobs[blob].data.shape == shape
    assert np.isfinite(net.blobs[blob].data).all()


def test_segnet_learns_through_its_masks(tmp_path: Path) -> None:
    net = built(SEGNET, caffe.TRAIN, tmp_path)
    net.forward()
    net.backward()
    assert np.abs(net.params["conv1"][0].diff).sum() > 0


def test_ssd_keeps_the_best_of_every_item(tmp_path: Path) -> None:
    net = built(SSD, caffe.TEST, tmp_path)
    detections = net.forward()["detection_out"]
    assert detections.shape == (1, 1, 40, 7)
    assert detections[0, 0, :, 0].tolist() == [0.0] * 20 + [1.0] * 20
    assert set(detections[0, 0, :, 1].tolist()) <= {1.0, 2.0}
