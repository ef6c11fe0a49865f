"""A validation split cut from the official training split: seeded, and with each label's share of images kept.

The paper lowers the learning rate as the validation loss saturates, and names no validation images; ours are taken
from training, so that the test split is never looked at. The method is iterative stratification (Sechidis,
Tsoumakas and Vlahavas, "On the stratification of multi-label data", ECML PKDD 2011) for two parts.
"""

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.samples import PRESENT, DatasetSource, Sample, SampleSource

Mask = NDArray[np.bool_]


def cut_validation(source: DatasetSource, share: float, seed: int) -> DatasetSource:
    """The dataset with `share` (0 to 1) of its training samples as split `val`.

    Samples of one file, such as the people of a photograph, stay together. Raises DataError if the dataset has a
    validation split already, no training split, or too few samples for both.
    """
    if "val" in source.splits or "train" not in source.splits:
        found = ", ".join(source.splits)
        raise DataError(f"{source.name}: expected a training split and no validation split to cut one, found {found}")
    read = source.splits["train"]
    chosen = chosen_samples(read(), share, seed)
    if chosen.all() or not chosen.any():
        raise DataError(
            f"{source.name}: expected samples for training and for validation, found {len(chosen)} samples in all, of "
            f"which {int(chosen.sum())} would be for validation; take another --validation share"
        )
    others = {name: split for name, split in source.splits.items() if name != "train"}
    cut = {"train": partial(_Part, read, ~chosen), "val": partial(_Part, read, chosen)}
    return dataclasses.replace(
        source,
        splits={**cut, **others},
        published={name: number for name, number in source.published.items() if name != "train"},
        notes=[*source.notes, f"val: {share:.0%} of the training split, stratified by label, seed {seed}"],
        options={**source.options, "validation": share, "validation_seed": seed},
    )


def chosen_samples(samples: SampleSource, share: float, seed: int) -> Mask:
    """Which samples are for validation, (samples,)."""
    group_of: dict[str, int] = {}
    groups = [group_of.setdefault(sample.path, len(group_of)) for sample in samples]
    labels = np.zeros((len(group_of), _labels(samples)), np.int64)
    for group, sample in zip(groups, samples, strict=True):
        if sample.left_out is None:
            labels[group] += sample.labels == PRESENT
    return stratified(labels, share, np.random.default_rng(seed))[groups]


def _labels(samples: SampleSource) -> int:
    return next((len(sample.labels) for sample in samples), 0)


def stratified(labels: NDArray[np.int64], share: float, random: np.random.Generator) -> Mask:
    """Which of the rows (items, labels) go to validation, so that it gets `share` of each label's count.

    The label with the fewest items left is served first, since later ones leave more choice. Items of the label go
    to the part that lacks more of it, or more items in all where both lack the same.
    """
    items, count = labels.shape
    order = random.permutation(items)
    left = np.ones(items, bool)
    wanted = np.stack([(1 - share) * labels.sum(axis=0), share * labels.sum(axis=0)])
    places = np.array([(1 - share) * items, share * items])
    validation = np.zeros(items, bool)
    remaining = (labels > 0).sum(axis=0)
    for _ in range(count):
        label = int(np.argmin(np.where(remaining > 0, remaining, items + 1)))
        if remaining[label] == 0:
            break
        for item in order[left[order] & (labels[order, label] > 0)]:
            part = _needier(wanted[:, label], places)
            validation[item] = part == 1
            wanted[part] -= labels[item]
            places[part] -= 1
            left[item] = False
        remaining = ((labels > 0) & left[:, None]).sum(axis=0)
    for item in order[left[order]]:
        part = int(places[1] > places[0])
        validation[item] = part == 1
        places[part] -= 1
    return validation


def _needier(wanted: NDArray[np.float64], places: NDArray[np.float64]) -> int:
    """0 for training, 1 for validation."""
    if wanted[0] == wanted[1]:
        return int(places[1] > places[0])
    return int(wanted[1] > wanted[0])


class _Part:
    """The samples of a source for which a mask is set."""

    def __init__(self, read: Callable[[], SampleSource], mask: Mask) -> None:
        self._samples, self._mask = read(), mask

    def __len__(self) -> int:
        return int(self._mask.sum())

    def __iter__(self) -> Iterator[Sample]:
        return (sample for sample, wanted in zip(self._samples, self._mask, strict=True) if wanted)
