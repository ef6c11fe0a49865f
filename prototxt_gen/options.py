"""What one can ask of the generator: every option once, with its default, its choices and its help."""

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

from caffe_compat.errors import FieldError
from prototxt_gen.backbones import BLOCKS, FIELDS
from prototxt_gen.recipes import MODELS


class Dataset(NamedTuple):
    """Labels, and the images that the authors could train and test on (NUS-WIDE: those still on line)."""

    labels: int
    train_images: int
    test_images: int


DATASETS = {
    "nus_wide": Dataset(labels=81, train_images=119_986, test_images=80_283),
    "coco": Dataset(labels=80, train_images=82_783, test_images=40_504),
    "wider_att": Dataset(labels=14, train_images=28_340, test_images=29_177),
}
#: The augmentation that the Caffe which knows a norm can express.
AUGMENTATION = {"batchnorm": "crop", "bn": "paper"}
BACKBONE = {"paper": "resnet", "released": "preresnet"}
HEAD_NORM = {"paper": "none", "released": "bn"}


def _option(default: Any, text: str, choices: tuple[Any, ...] = ()) -> Any:
    return dataclasses.field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class Options:
    """The generator's options. An empty string or 0 stands for a value that follows from the others (`complete`)."""

    model: str = _option("resnet101_srn", "which of the paper's models", tuple(MODELS))
    dataset: str = _option("", "gives the number of labels and the length of an epoch", tuple(DATASETS))
    labels: int = _option(0, "number of labels of a dataset of your own, in place of --dataset")
    step: str = _option("all", "which training step's files; test: the net that predicts", ("all", *"1234", "test"))
    backbone: str = _option(
        "",
        "post- or pre-activation blocks, or narrow: a few convolutions that see --receptive-field pixels "
        "(default: resnet; preresnet in the released layout)",
        ("resnet", "preresnet", "narrow"),
    )
    receptive_field: int = _option(
        0, "of --backbone narrow: pixels that one value of its last map sees, 15, 31, 47 and so on (default: 15)"
    )
    norm: str = _option(
        "batchnorm", "BatchNorm + Scale (BVLC Caffe) or BN (the Caffe of the released SRN code)", ("batchnorm", "bn")
    )
    layout: str = _option(
        "paper", "the paper's heads, or names and structure of the released models", ("paper", "released")
    )
    depth: int = _option(101, "layers of the backbone", tuple(BLOCKS))
    width: int = _option(64, "channels of the first convolution")
    head_width: int = _option(0, "channels of f_att and f_sr (default: 8 x width; the paper's 512)")
    head_norm: str = _option("", "normalise f_att and f_sr (default: none; bn in the released layout)", ("none", "bn"))
    sr_filler_scale: float = _option(
        1.0, "multiplies the first weights of f_sr's first convolution, because U is small"
    )
    sr_lr_mult: float = _option(1.0, "multiplies the learning rate of f_sr")
    alpha: float = _option(0.5, "weight of y_cls in y = alpha y_cls + (1 - alpha) y_sr")
    learn_alpha: bool = _option(False, "learn alpha, from --alpha on, in place of fixing it")
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
        "kept", "rolled: moves each label's U by a random offset, anew for every image (a control)", ("kept", "rolled")
    )
    finetune_losses: str = _option(
        "paper", "of step 4: loss + loss_att, or the released code's att + sr + cls", ("paper", "released")
    )
    input_size: int = _option(224, "height and width of the net's input, in pixels")
    data: str = _option("", "folder of {train,test}_{image,label}_lmdb (default: data/DATASET)")
    test_split: str = _option("test", "the split that TEST nets read: DATA/SPLIT_image_lmdb, DATA/SPLIT_label_lmdb")
    augmentation: str = _option(
        "",
        "paper: corner and multi-scale crops (fields that only the released code's Caffe and ours know); crop: a "
        "random crop (all that BVLC Caffe knows); none: whole images (default: paper for bn, crop for batchnorm)",
        ("paper", "crop", "none"),
    )
    mirror: bool = _option(True, "mirror half of the training images")
    gpus: int = _option(1, "GPUs that share the batch")
    batch_size: int = _option(24, "images a GPU takes at once")
    iter_size: int = _option(0, "passes before an update (default: as many as make 96 images)")
    train_images: int = _option(0, "images of an epoch (default: the dataset's; 10000 with --labels)")
    test_images: int = _option(0, "images of a test (default: the dataset's; 1000 with --labels)")
    max_iter: int = _option(0, "iterations of each step (default: from the step's epochs)")
    base_lr: float = _option(1e-3, "first learning rate")
    lr_policy: str = _option(
        "multistep", "plateau (ours alone): a tenth when the test loss stops falling", ("multistep", "plateau")
    )
    moving_average_fraction: float = _option(0.9, "of the running statistics: how much of the old value stays")
    solver_mode: str = _option("GPU", "where to train", ("GPU", "CPU"))
    random_seed: int = _option(-1, "seed of fillers and data; -1: from the clock")


DEFAULTS = {field.name: field.default for field in dataclasses.fields(Options)}
#: The smallest value of each number; stage 5 of a smaller input would be empty.
LEAST = {
    "labels": 1,
    "width": 1,
    "head_width": 1,
    "input_size": 33,
    "gpus": 1,
    "batch_size": 1,
    "iter_size": 1,
    "train_images": 1,
    "test_images": 1,
    "max_iter": 0,
    "base_lr": 0,
    "receptive_field": 15,
    "sr_filler_scale": 0,
    "sr_lr_mult": 0,
    "moving_average_fraction": 0,
    "random_seed": -1,
}


def complete(options: Options) -> Options:
    """The same options with every value that follows from others filled in.

    Raises FieldError for a value, or two values together, that no net can have.
    """
    _check_choices(options)
    _check_together(options)
    if bool(options.dataset) == bool(options.labels):
        found = f"--dataset {options.dataset} and --labels {options.labels}" if options.dataset else "neither"
        raise FieldError(f"options: expected either --dataset or --labels, found {found}; give one of the two")
    known = DATASETS.get(options.dataset, Dataset(options.labels, train_images=10_000, test_images=1_000))
    derived: dict[str, Any] = {
        "dataset": "custom",
        "receptive_field": FIELDS.start,
        "labels": known.labels,
        "backbone": BACKBONE[options.layout],
        "head_norm": HEAD_NORM[options.layout],
        "head_width": 8 * options.width,
        "data": f"data/{options.dataset or 'custom'}",
        "augmentation": AUGMENTATION[options.norm],
        "iter_size": _iter_size(options),
        "train_images": known.train_images,
        "test_images": known.test_images,
    }
    filled = dataclasses.replace(options, **{k: v for k, v in derived.items() if not getattr(options, k)})
    _check_values(filled)
    return filled


def command(options: Options, folder: str) -> str:
    """The command line that writes these files, with the options that differ from the defaults."""
    given = {name: value for name, value in vars(options).items() if name == "model" or value != DEFAULTS[name]}
    return " ".join(["python -m prototxt_gen", *(_flag(*item) for item in given.items()), f"--out {folder}"])


def flag(name: str) -> str:
    """How a field is spelled on the command line."""
    return "--" + name.replace("_", "-")


def _flag(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return flag(name) if value else flag(f"no_{name}")
    return f"{flag(name)} {value}"


def _check_choices(options: Options) -> None:
    for field in dataclasses.fields(options):
        value, choices = getattr(options, field.name), field.metadata["choices"]
        if choices and value not in choices and value != field.default:
            raise FieldError(
                f"options: {flag(field.name)} must be one of {', '.join(map(str, choices))}; found '{value}'"
            )
    steps = len(MODELS[options.model].steps)
    if options.step.isdigit() and int(options.step) > steps:
        raise FieldError(
            f"options: {options.model} is trained in {steps} step(s), found --step {options.step}; "
            "use a lower number, all or test"
        )


def _check_together(options: Options) -> None:
    """Refuses an option that the chosen backbone or layout would not follow."""
    if options.receptive_field and options.backbone != "narrow":
        raise FieldError("options: --receptive-field is of --backbone narrow alone; give both or neither")
    if options.receptive_field and options.receptive_field not in FIELDS:
        near = min(FIELDS, key=lambda field: abs(field - options.receptive_field))
        raise FieldError(
            f"options: --receptive-field must be 15 plus a multiple of 16 up to {FIELDS[-1]}; "
            f"found {options.receptive_field}; the nearest is {near}"
        )
    for name in ("learn_alpha", "attention", "conv4", "alignment"):
        if options.layout == "released" and getattr(options, name) != DEFAULTS[name]:
            raise FieldError(f"options: {flag(name)} is of --layout paper alone; the released nets have no such part")


def _check_values(options: Options) -> None:
    for name, least in LEAST.items():
        if getattr(options, name) < least:
            raise FieldError(f"options: {flag(name)} must be at least {least}; found {getattr(options, name)}")
    if not 0 <= options.alpha <= 1:
        raise FieldError(f"options: --alpha must be between 0 and 1; found {options.alpha}")


def _iter_size(options: Options) -> int:
    images = options.gpus * options.batch_size
    if options.iter_size or (images > 0 and 96 % images == 0):
        return options.iter_size or 96 // images
    raise FieldError(
        f"options: the paper's batch of 96 is no multiple of --gpus {options.gpus} x --batch-size {options.batch_size}"
        "; choose a divisor or give --iter-size"
    )
