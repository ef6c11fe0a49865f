"""The generator's options, each with its default, choices and help text."""

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

from prototxt_gen.backbones import BLOCKS
from prototxt_gen.recipes import MODELS


class Dataset(NamedTuple):
    """The number of labels, and the authors' numbers of training and test images."""

    labels: int
    train_images: int
    test_images: int


DATASETS = {
    "nus_wide": Dataset(labels=81, train_images=119_986, test_images=80_283),
    "coco": Dataset(labels=80, train_images=82_783, test_images=40_504),
    "wider_att": Dataset(labels=14, train_images=28_340, test_images=29_177),
}


def _option(default: Any, text: str, choices: tuple[Any, ...] = ()) -> Any:
    return dataclasses.field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class GeneratorOptions:
    """The generator's options. An empty string or 0 stands for a value that follows from others, or from the data."""

    model: str = _option(
        "resnet101_srn", "which of the paper's models, or a method that it compares with", tuple(MODELS)
    )
    dataset: str = _option("", "gives the number of labels and the length of an epoch", tuple(DATASETS))
    labels: int = _option(0, "number of labels of your own dataset (default: from --data or --dataset)")
    step: str = _option(
        "all", "the training step to write files for; test: only the net that predicts", ("all", *"1234", "test")
    )
    backbone: str = _option(
        "",
        "post- or pre-activation blocks, or narrow: a few convolutions that see --receptive-field pixels "
        "(default: resnet; preresnet in the released layout)",
        ("resnet", "preresnet", "narrow"),
    )
    receptive_field: int = _option(
        0, "for --backbone narrow: receptive field of its last map in pixels: 15, 31, 47 and so on (default: 15)"
    )
    stride_in: str = _option(
        "",
        "which convolution of a block has the stride: conv1, the first 1x1, as in He et al.'s files, or conv2, the "
        "3x3, as in today's checkpoints (default: conv1; conv2 in preresnet)",
        ("conv1", "conv2"),
    )
    pooling: str = _option(
        "ceil",
        "pool1's size: ceil without padding, as in He et al.'s files, or floor with 1 of padding, as in today's "
        "checkpoints (BVLC Caffe of 2018 or later)",
        ("ceil", "floor"),
    )
    norm: str = _option(
        "batchnorm", "BatchNorm + Scale (BVLC Caffe) or BN (the Caffe of the released SRN code)", ("batchnorm", "bn")
    )
    layout: str = _option(
        "paper", "the paper's heads, or names and structure of the released models", ("paper", "released")
    )
    depth: int = _option(101, "layers of the backbone", tuple(BLOCKS))
    width: int = _option(64, "channels of the first convolution")
    head_width: int = _option(0, "channels of f_att and f_sr (default: 8 x width; 512 in the paper)")
    head_norm: str = _option("", "normalise f_att and f_sr (default: none; bn in the released layout)", ("none", "bn"))
    sr_filler_scale: float = _option(
        1.0, "multiplies the first weights of f_sr's first convolution, because U is small"
    )
    sr_lr_mult: float = _option(1.0, "multiplies the learning rate of f_sr")
    alpha: float = _option(0.5, "weight of y_cls in y = alpha y_cls + (1 - alpha) y_sr")
    learn_alpha: bool = _option(False, "learn alpha, starting from --alpha, instead of keeping it fixed")
    attention: str = _option(
        "softmax", "Eq. 4, or uniform: every place counts the same (an ablation)", ("softmax", "uniform")
    )
    conv4: str = _option(
        "grouped",
        "f_sr's spatial part: grouped (the paper's), full (one convolution of all maps, called naive in section 3.3), "
        "or point (no spatial extent; a control)",
        ("grouped", "full", "point"),
    )
    alignment: str = _option(
        "kept",
        "rolled: moves each label's U by a random offset, a new one for every image (a control)",
        ("kept", "rolled"),
    )
    finetune_losses: str = _option(
        "paper", "losses of step 4: loss + loss_att (paper), or att + sr + cls (released code)", ("paper", "released")
    )
    embedding: int = _option(
        0, "for cnn_rnn: size of the embedding of a label or an image (default: width; 64 in its paper)"
    )
    hidden: int = _option(0, "for cnn_rnn: number of LSTM outputs (default: 8 x width; 512 in its paper)")
    path_steps: int = _option(
        0, "for cnn_rnn: steps of the longest path of labels, including its end (default: from --data, else 19)"
    )
    bins: int = _option(0, "for r_cnn, r_star_cnn and dhc: bins per side of a pooled region (default: 14; 7 if narrow)")
    around: int = _option(0, "for r_star_cnn: regions around a person (default: from --data, else 10)")
    parts: int = _option(0, "for dhc: parts of a person (default: from --data, else 6)")
    neighbours: int = _option(
        0, "for dhc: number of people near, whose parts are compared (default: from --data, else 3)"
    )
    scenes: int = _option(0, "for dhc: number of scene labels (default: from --data, else 30)")
    input_size: int = _option(224, "height and width of the net's input, in pixels")
    data: str = _option(
        "", "folder that prepare wrote; gives labels, numbers of images and sizes (default: data/DATASET)"
    )
    source: str = _option(
        "", "where images are read: lmdb, or folder, DATA/images (default: as prepare wrote; lmdb)", ("lmdb", "folder")
    )
    unknown_labels: bool = _option(False, "labels can be -1 (unknown), which the losses ignore (default: from --data)")
    test_split: str = _option("", "the split that TEST nets read (default: val if --data has it, else test)")
    test_view: str = _option(
        "whole",
        "what TEST nets read: whole images resized to the input (section 3.4), or crop, the centre of larger ones",
        ("whole", "crop"),
    )
    augmentation: str = _option(
        "",
        "paper: corner and multi-scale crops (fields that only the released code's Caffe and ours know); crop: a "
        "random crop (all that BVLC Caffe knows); none: whole images (default: paper for bn, crop for batchnorm)",
        ("paper", "crop", "none"),
    )
    mirror: bool = _option(True, "mirror half of the training images; photographs with boxes are never mirrored")
    gpus: int = _option(1, "GPUs that share the batch")
    batch_size: int = _option(0, "images per GPU and pass (default: 24, or fewer if memory is short)")
    iter_size: int = _option(0, "passes before an update (default: enough for 96 images)")
    train_images: int = _option(0, "images of an epoch (default: from --data or --dataset; 10000 with --labels)")
    test_images: int = _option(0, "images of a test (default: from --data or --dataset; 1000 with --labels)")
    max_iter: int = _option(0, "iterations of each step (default: from the step's epochs)")
    base_lr: float = _option(1e-3, "first learning rate")
    lr_policy: str = _option(
        "multistep",
        "plateau (this project's runtime alone): a tenth when the validation loss stops falling",
        ("multistep", "plateau"),
    )
    moving_average_fraction: float = _option(0.9, "share of the old value in each update of the running statistics")
    solver_mode: str = _option("", "where to train (default: GPU where there is one)", ("GPU", "CPU"))
    random_seed: int = _option(-1, "seed of fillers and data; -1: from the clock")


#: The paper's values, used if neither the user nor the machine decides: 96 images on four GPUs.
UNLESS_GIVEN = {"batch_size": 24, "solver_mode": "GPU"}
DEFAULTS = {field.name: field.default for field in dataclasses.fields(GeneratorOptions)}


def command(options: GeneratorOptions, folder: str) -> str:
    """The command line that writes the same files on any machine: all options that differ from their defaults."""
    values = {name: value or UNLESS_GIVEN.get(name, value) for name, value in vars(options).items()}
    given = {name: value for name, value in values.items() if name == "model" or value != DEFAULTS[name]}
    return " ".join(["python -m prototxt_gen", *(_flag(*item) for item in given.items()), f"--out {folder}"])


def flag(name: str) -> str:
    """The flag of a field on the command line."""
    return "--" + name.replace("_", "-")


def _flag(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return flag(name) if value else flag(f"no_{name}")
    return f"{flag(name)} {value}"
