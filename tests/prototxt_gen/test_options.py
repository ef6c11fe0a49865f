import pytest

from caffe_compat.errors import FieldError
from prototxt_gen import generate


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"^options: expected either --dataset or --labels, found neither; give one of the two, or --data"),
        ({"dataset": "coco", "labels": 3}, r"^options: expected either .* found --dataset coco and --labels 3; give"),
        ({"labels": 3, "model": "vgg"}, r"^options: --model must be one of resnet101, .*; found 'vgg'$"),
        ({"dataset": "voc"}, r"^options: --dataset must be one of nus_wide, coco, wider_att; found 'voc'$"),
        ({"labels": 3, "depth": 34}, r"^options: --depth must be one of 26, 50, 101, 152; found '34'$"),
        ({"labels": 3, "norm": "layer"}, r"^options: --norm must be one of batchnorm, bn; found 'layer'$"),
        ({"labels": 3, "model": "resnet107", "step": "2"},
         r"^options: resnet107 is trained in 1 step\(s\), found --step 2; use a lower number, all or test$"),
        ({"labels": -2}, r"^options: --labels must be at least 1; found -2$"),
        ({"labels": 3, "width": 0}, r"^options: --width must be at least 1; found 0$"),
        ({"labels": 3, "input_size": 32}, r"^options: --input-size must be at least 33; found 32$"),
        ({"labels": 3, "alpha": 1.5}, r"^options: --alpha must be between 0 and 1; found 1.5$"),
        ({"labels": 3, "batch_size": 7},
         r"^options: the paper's batch of 96 is no multiple of --gpus 1 x --batch-size 7; choose a divisor or give"),
        ({"labels": 3, "batch_size": -1}, r"^options: --batch-size must be at least 1; found -1$|no multiple"),
        ({"labels": 3, "batch_size": 7, "train_images": 40},
         r"^options: the batch of 32 \(of few training images\) is no multiple of --gpus 1 x --batch-size 7; choose"),
        ({"labels": 3, "lr_policy": "plateau", "test_split": "test"},
         r"^options: --lr-policy plateau watches a validation split, never the test split; leave --test-split out"),
        ({"labels": 3, "pooling": "floor", "norm": "bn"},
         r"^options: --pooling floor needs a field \(round_mode\) that the Caffe of --norm bn lacks; take --norm"),
        ({"labels": 3, "backbone": "narrow", "stride_in": "conv2"},
         r"^options: --stride-in and --pooling are of the ResNets; --backbone narrow has neither$"),
        ({"labels": 3, "learn_alpha": True, "finetune_losses": "released"},
         r"^options: --learn-alpha learns from the loss of y, which --finetune-losses released leaves out$"),
    ],
)  # fmt: skip
def test_impossible_options_are_refused(options, message):
    with pytest.raises(FieldError, match=message):
        generate(**options)


def test_unknown_option_is_refused():
    with pytest.raises(TypeError, match="bachbone"):
        generate(labels=3, bachbone="resnet")
