"""Keeps what a net computes of each image below its lowest learning layer, for the next time the image comes.

In steps 2 and 3 of the paper's training the backbone is fixed, and computes the same features in every epoch. An image
is known by its bytes, so shuffling, several data layers and continued runs need no further care.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from caffe_compat.engine.passes.drop_unneeded import acts
from caffe_compat.engine.plan import Operation, Plan
from caffe_compat.engine.watched_weights import WeightWatch
from caffe_compat.errors import CaffeError, GraphError
from caffe_compat.free_memory import free_memory
from caffe_compat.layers.base import innermost_channels

#: Runs the operations of a plan on values, and leaves the plan's results there.
RunPlan = Callable[[Plan, dict[str, Tensor]], None]
#: The share of the free memory that features may take.
MEMORY_SHARE = 0.5
#: The largest difference between features of an image alone and in a batch, in parts of the largest feature.
TOLERANCE = 1e-2


class FeatureStore:
    """Features by image, in memory, up to `most` bytes: half of the free memory for all `processes` together."""

    def __init__(self, most: float | None = None, processes: int = 1) -> None:
        self.most = MEMORY_SHARE * free_memory() / processes if most is None else most
        self.bytes = 0
        self.computed = 0
        self.read = 0
        self.layers = 0
        self._features: dict[bytes, tuple[Tensor, ...]] = {}

    def get(self, image: bytes) -> tuple[Tensor, ...] | None:
        """Returns the features of an image, or None."""
        found = self._features.get(image)
        self.read += found is not None
        return found

    def put(self, image: bytes, features: tuple[Tensor, ...]) -> None:
        """Keeps the features of an image if there is room."""
        self.computed += 1
        size = sum(one.numel() * one.itemsize for one in features)
        if image not in self._features and self.bytes + size <= self.most:
            self._features[image] = tuple(one.to("cpu", copy=True) for one in features)
            self.bytes += size

    def clear(self) -> None:
        """Forgets all features."""
        self._features.clear()
        self.bytes = 0

    def summary(self) -> str:
        """Says how much was kept, and what that saved."""
        total = self.computed + self.read
        return (
            f"Features of {len(self._features)} images kept, {self.bytes / 1e6:.1f} MB of at most "
            f"{self.most / 1e6:.0f} MB: {self.read} of {total} passes through {self.layers} fixed layers saved"
        )


def keep_features(plan: Plan, store: FeatureStore, run: RunPlan) -> Plan | None:
    """Returns the plan with one operation in place of all that are fixed and read only data and fixed values.

    Returns None if none of these has weights, so that there is little to save.
    """
    sources = [operation for operation in plan.operations if not operation.inputs]
    data = {value for operation in sources if _has_batch(operation) for value in operation.outputs}
    fixed = _fixed_operations(plan, data)
    numbers = set(map(id, fixed))
    others = [operation for operation in plan.operations if operation.inputs and id(operation) not in numbers]
    made = {value for operation in fixed for value in operation.outputs}
    needed = plan.kept.union(*(operation.inputs for operation in others))
    outputs = tuple(sorted(made & needed))
    if not any(layer.blobs for operation in fixed for layer in operation.layers):
        return None
    inputs = tuple(sorted({value for operation in fixed for value in operation.inputs} - made))
    part = Plan(tuple(fixed), {value: value for value in outputs}, ())
    store.layers = sum(len(operation.layers) for operation in fixed)
    layers = tuple(layer for operation in fixed for layer in operation.layers)
    kept = Operation(layers, KeptFeatures(part, inputs, store, run), inputs, outputs, learns=False)
    return replace(plan, operations=(*sources, kept, *others))


def _fixed_operations(plan: Plan, known: set[str]) -> list[Operation]:
    fixed = []
    known = known | set(plan.feeds)
    for operation in plan.operations:
        if known.issuperset(operation.inputs) and not (operation.learns or acts(operation)) and _is_by_image(operation):
            fixed.append(operation)
            known.update(operation.outputs)
    return fixed


def _is_by_image(operation: Operation) -> bool:
    """Whether the layers may compute each image for itself: none averages over a batch or keeps a state."""
    sums = any(layer.is_loss or layer.measures or not layer.is_pure() for layer in operation.layers)
    return _has_batch(operation) and not sums


def _has_batch(operation: Operation) -> bool:
    return all(layer.tops_have_batch for layer in operation.layers)


class KeptFeatures:
    """Computes the fixed part of a plan for images that the store does not know, and reads the others from it."""

    def __init__(self, part: Plan, inputs: Sequence[str], store: FeatureStore, run: RunPlan) -> None:
        self._part = part
        self._inputs = inputs
        self._store = store
        self._run = run
        self._layers = [layer for operation in part.operations for layer in operation.layers]
        self._watch = WeightWatch(self._layers)
        self._weights: list[Tensor] = []
        self._is_checked = False

    def __call__(self, *bottoms: Tensor) -> tuple[Tensor, ...]:
        """Returns the outputs of the part for its inputs, which have one item per image along axis 0."""
        self._forget_after_changes()
        self._require_equal_numbers(bottoms)
        if not self._is_checked:
            self._require_separate_images(bottoms)
        images = [_digest(items) for items in zip(*(bottom.unbind() for bottom in bottoms), strict=True)]
        features = [self._store.get(image) for image in images]
        missing = [index for index, found in enumerate(features) if found is None]
        if missing:
            chosen = bottoms if len(missing) == len(images) else [bottom[missing] for bottom in bottoms]
            for index, computed in zip(missing, zip(*self._compute(chosen), strict=True), strict=True):
                self._store.put(images[index], computed)
                features[index] = computed
        device = bottoms[0].device
        columns = zip(*(found for found in features if found is not None), strict=True)
        return tuple(innermost_channels(torch.stack([one.to(device) for one in column])) for column in columns)

    def _compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        values = dict(zip(self._inputs, map(innermost_channels, bottoms), strict=True))
        self._run(self._part, values)
        return [values[value] for value in self._part.results]

    def _require_equal_numbers(self, bottoms: Sequence[Tensor]) -> None:
        shapes = [tuple(bottom.shape) for bottom in bottoms]
        if len({shape[:1] for shape in shapes}) > 1 or () in shapes:
            found = ", ".join(f"'{_blob(name)}' {shape}" for name, shape in zip(self._inputs, shapes, strict=True))
            raise GraphError(
                f"fixed layers read blobs that do not all have one item per image along axis 0: {found}; train without "
                "--cache-features"
            )

    def _require_separate_images(self, bottoms: Sequence[Tensor]) -> None:
        """GraphError if the features of an image depend on the others, on its place in the batch, or on chance."""
        self._is_checked = True
        batch = self._compute(bottoms)
        try:
            alone, turned = self._compute([one[:1] for one in bottoms]), self._compute([one.flip(0) for one in bottoms])
        except CaffeError as error:
            raise GraphError(
                f"fixed layers need whole batches, so that features of single images cannot be kept ({error}); train "
                "without --cache-features"
            ) from error
        for name, values, one, others in zip(self._part.results, batch, alone, turned, strict=True):
            sizes = values.shape[:1], one.shape[:1], others.shape[:1]
            are_items = sizes == (bottoms[0].shape[:1], (1,), bottoms[0].shape[:1])
            if not are_items or not _are_close(values[:1], one) or not _are_close(values, others.flip(0)):
                raise GraphError(
                    f"blob '{_blob(name)}': the features of an image alone and in its batch differ, since a fixed "
                    "layer draws random numbers, mixes images or knows the batch size; train without --cache-features"
                )

    def _forget_after_changes(self) -> None:
        """Clears the store if weights of the part have other values. An update with rate 0 writes the same values."""
        if self._watch.has_changed():
            weights = [blob.detach() for layer in self._layers for blob in layer.blobs]
            # Compared where they are: a digest takes three times as long, and a copy from the GPU.
            if len(weights) != len(self._weights) or not all(map(_are_equal, weights, self._weights)):
                self._store.clear()
                self._weights = [weight.clone() for weight in weights]


def _blob(value: str) -> str:
    return value.split("#")[0]


def _are_equal(one: Tensor, other: Tensor) -> bool:
    return (one.dtype, one.device) == (other.dtype, other.device) and torch.equal(one, other)


def _are_close(one: Tensor, other: Tensor) -> bool:
    """Whether the tensors agree within TOLERANCE; NaN and infinity must be at the same places."""
    if one.shape != other.shape:
        return False
    one, other = one.float(), other.float()
    largest = float(one.nan_to_num(0, 0, 0).abs().max()) if one.numel() else 0.0
    return torch.allclose(one, other, rtol=0, atol=TOLERANCE * largest, equal_nan=True)


def _digest(tensors: Sequence[Tensor]) -> bytes:
    """Returns 16 bytes that differ for tensors of other bytes or shapes."""
    digest = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        values = tensor.detach().cpu().contiguous()
        digest.update(str((values.dtype, tuple(values.shape))).encode())
        digest.update(values.view(-1).view(torch.uint8).numpy().data)
    return digest.digest()
