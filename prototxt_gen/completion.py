"""Fills in options that follow from other options, from the data or from the dataset, and checks them together."""

import dataclasses
from typing import Any

from caffe_compat.errors import FieldError
from prototxt_gen.backbones import FIELDS
from prototxt_gen.label_paths import LONGEST_PATH
from prototxt_gen.options import DATASETS, DEFAULTS, UNLESS_GIVEN, Dataset, GeneratorOptions, flag
from prototxt_gen.prepared import Prepared, read_prepared, read_region_counts
from prototxt_gen.recipes import MODELS
from prototxt_gen.scale import check_scale
from prototxt_gen.stored_databases import channels_of, read_databases

PAPERS_BATCH = 96
#: Default augmentation by norm: only the Caffe with layer BN also has the paper's crops.
AUGMENTATION = {"batchnorm": "crop", "bn": "paper"}
BACKBONE = {"paper": "resnet", "released": "preresnet"}
HEAD_NORM = {"paper": "none", "released": "bn"}
STRIDE_IN = {"resnet": "conv1", "preresnet": "conv2", "narrow": ""}
#: For WIDER-Attribute, which has 30 events; parts, people and regions around a person are ours.
REGION_COUNTS = {"around": 10, "parts": 6, "neighbours": 3, "scenes": 30}
#: The smallest value of each numeric option; with a smaller input, stage 5 would be empty.
LEAST = {
    "labels": 1,
    "width": 1,
    "head_width": 1,
    "input_size": 33,
    "embedding": 1,
    "hidden": 1,
    "path_steps": 2,
    "bins": 1,
    "around": 1,
    "parts": 1,
    "neighbours": 1,
    "scenes": 2,
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


def complete(options: GeneratorOptions) -> GeneratorOptions:
    """The options with every value filled in that follows from other options or from the data.

    Raises FieldError for a value that no net can have, for values that do not go together, and for a number that
    contradicts the data.
    """
    _check_choices(options)
    _check_together(options)
    prepared = (read_prepared(options.data) or read_databases(options.data)) if options.data else None
    if prepared:
        options = _from_data(options, prepared)
    if bool(options.dataset) == bool(options.labels) and not (prepared and options.dataset):
        found = f"--dataset {options.dataset} and --labels {options.labels}" if options.dataset else "neither"
        raise FieldError(
            f"options: expected either --dataset or --labels, found {found}; give one of the two, or --data DIR with "
            "the folder that prepare wrote"
        )
    filled = _fill(options, _first_values(options) | UNLESS_GIVEN)
    filled = _fill(filled, {"stride_in": STRIDE_IN[filled.backbone], "iter_size": _iter_size(filled)})
    _check_values(filled)
    if prepared and not MODELS[options.model].regions:
        check_scale(filled, prepared)
    return filled


def _first_values(options: GeneratorOptions) -> dict[str, Any]:
    known = DATASETS.get(options.dataset, Dataset(options.labels, train_images=10_000, test_images=1_000))
    return {
        "dataset": "custom",
        "receptive_field": FIELDS.start,
        "labels": known.labels,
        "backbone": BACKBONE[options.layout],
        "head_norm": HEAD_NORM[options.layout],
        "head_width": 8 * options.width,
        "embedding": options.width,
        "hidden": 8 * options.width,
        **_region_counts(options),
        "bins": 7 if options.backbone == "narrow" else 14,
        "path_steps": _path_steps(options) or LONGEST_PATH,
        "data": f"data/{options.dataset or 'custom'}",
        "source": "lmdb",
        "test_split": "val" if options.lr_policy == "plateau" else "test",
        "augmentation": "none" if MODELS[options.model].regions else AUGMENTATION[options.norm],
        "train_images": known.train_images,
        "test_images": known.test_images,
    }


def _region_counts(options: GeneratorOptions) -> dict[str, int]:
    """The numbers of regions and scenes that the data's file says, or those for WIDER-Attribute."""
    stored = read_region_counts(options.data) if options.data and MODELS[options.model].regions else {}
    return REGION_COUNTS | stored


def _path_steps(options: GeneratorOptions) -> int:
    """The steps of the paths of labels that the data's LMDB holds; 0 without one."""
    return channels_of(options.data, "train", "path") if options.data and options.model == "cnn_rnn" else 0


def _fill(options: GeneratorOptions, values: dict[str, Any]) -> GeneratorOptions:
    """The options with these values in place of empty ones."""
    return dataclasses.replace(options, **{name: v for name, v in values.items() if not getattr(options, name)})


def _from_data(options: GeneratorOptions, prepared: Prepared) -> GeneratorOptions:
    """The options completed from the summary of a prepared folder; FieldError for an option that contradicts it."""
    split = options.test_split or ("val" if "val" in prepared.images or options.lr_policy == "plateau" else "test")
    for wanted in ("train", split):
        if wanted not in prepared.images:
            cure = "prepare it with --validation 0.1" if wanted == "val" else f"prepare it with --{wanted}"
            raise FieldError(
                f"options: --data {options.data} has no split '{wanted}', found {', '.join(prepared.images)}; {cure}"
            )
    said = {
        "labels": prepared.labels,
        "train_images": prepared.images["train"],
        "test_images": prepared.images[split],
        "source": "" if options.source in prepared.stored else prepared.stored[0],
    }
    if options.dataset:
        _check_contradiction(options, "labels", DATASETS[options.dataset].labels, prepared.labels, "dataset")
    for name, value in said.items():
        if getattr(options, name) and value:
            _check_contradiction(options, name, getattr(options, name), value)
    unknown = options.unknown_labels or prepared.unknown_labels
    filled = dataclasses.replace(options, test_split=split, unknown_labels=unknown)
    return _fill(filled, {name: value for name, value in said.items() if value})


def _check_contradiction(options: GeneratorOptions, name: str, given: Any, found: Any, by: str = "") -> None:
    if given != found:
        spelled = f"{flag(by or name)} {getattr(options, by or name)}"
        raise FieldError(
            f"options: {spelled} contradicts --data {options.data}, which has {name.replace('_', ' ')} {found}, not "
            f"{given}; leave {flag(by or name)} out"
        )


def _check_choices(options: GeneratorOptions) -> None:
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


def _check_together(options: GeneratorOptions) -> None:
    """Raises FieldError for an option without effect in the chosen backbone, layout or Caffe."""
    if options.lr_policy == "plateau" and options.test_split == "test":
        raise FieldError(
            "options: --lr-policy plateau watches a validation split, never the test split; leave --test-split out, "
            "or name another split"
        )
    if options.pooling == "floor" and options.norm == "bn":
        raise FieldError(
            "options: --pooling floor needs a field (round_mode) that the Caffe of --norm bn lacks; take --norm "
            "batchnorm"
        )
    if MODELS[options.model].regions:
        _check_regions(options)
    if options.norm == "bn" and options.model == "cnn_rnn":
        raise FieldError(
            "options: --model cnn_rnn needs Embed and LSTM, which the Caffe of --norm bn lacks; take --norm batchnorm"
        )
    if options.learn_alpha and options.finetune_losses == "released":
        raise FieldError(
            "options: --learn-alpha learns from the loss of y, which --finetune-losses released leaves out"
        )
    if options.backbone == "narrow" and (options.stride_in or options.pooling != "ceil"):
        raise FieldError("options: --stride-in and --pooling are of the ResNets; --backbone narrow has neither")
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


def _check_regions(options: GeneratorOptions) -> None:
    """Raises FieldError for what would move the photograph away from its boxes, or has no boxes."""
    if options.augmentation not in ("", "none") or options.test_view == "crop":
        raise FieldError(
            f"options: --model {options.model} reads boxes of the whole photograph, which no crop may move; take "
            "--augmentation none and --test-view whole"
        )
    if options.source == "folder" or options.layout == "released":
        given = "--source folder" if options.source == "folder" else "--layout released"
        raise FieldError(
            f"options: --model {options.model} has LMDBs of boxes and a layout of its own; leave {given} out"
        )


def _check_values(options: GeneratorOptions) -> None:
    for name, least in LEAST.items():
        if getattr(options, name) < least:
            raise FieldError(f"options: {flag(name)} must be at least {least}; found {getattr(options, name)}")
    if not 0 <= options.alpha <= 1:
        raise FieldError(f"options: --alpha must be between 0 and 1; found {options.alpha}")


def _iter_size(options: GeneratorOptions) -> int:
    """The given iter_size, else the number of passes that make up `effective_batch`.

    Raises FieldError if the images of a pass do not divide that batch.
    """
    images, batch = options.gpus * options.batch_size, effective_batch(options.train_images)
    if options.iter_size or (images > 0 and batch % images == 0):
        return options.iter_size or batch // images
    whose = "the paper's batch of 96" if batch == PAPERS_BATCH else f"the batch of {batch} (of few training images)"
    raise FieldError(
        f"options: {whose} is no multiple of --gpus {options.gpus} x --batch-size {options.batch_size}"
        "; choose a divisor or give --iter-size"
    )


def effective_batch(train_images: int) -> int:
    """The paper's 96 images; with fewer training images, the largest divisor of 96 that is not above their number."""
    return next(
        size for size in range(PAPERS_BATCH, 0, -1) if PAPERS_BATCH % size == 0 and size <= max(train_images, 1)
    )
