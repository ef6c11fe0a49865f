"""Recording: the blobs of one side's run, read from a dump (.npz)."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from caffe_compat.convert.formats.numpy_file import load_npz
from caffe_compat.errors import FormatError

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

#: Seed of the random positions at which a sampled blob is read.
SAMPLE_SEED = 1


@dataclass(frozen=True)
class BlobSample:
    """Some elements of a blob, at seeded random positions; `largest` is the whole blob's largest absolute value."""

    values: Array
    largest: float

    def of(self, whole: Array) -> Array:
        """Returns the elements of another blob at the same positions."""
        return whole.ravel()[np.random.RandomState(SAMPLE_SEED).randint(0, whole.size, self.values.size)]


Recorded = Array | BlobSample


@dataclass
class Recording:
    """One side's run; keys are `layer/top`, `layer/bottom`, `layer/index` or a blob's name, as noted at each field."""

    source: str
    inputs: dict[str, Array] = field(default_factory=dict)  # blob
    weights: dict[str, Array] = field(default_factory=dict)  # layer/index, before forward
    tops: dict[str, Recorded] = field(default_factory=dict)  # layer/top, right after the layer ran
    fed: dict[str, Array] = field(default_factory=dict)  # layer/top, values that our side gave to the other side
    blobs: dict[str, Recorded] = field(default_factory=dict)  # blob, after the whole net ran
    weights_after: dict[str, Array] = field(default_factory=dict)  # layer/index, after forward (running statistics)
    seeds: dict[str, Array] = field(default_factory=dict)  # blob: the gradient that backward started from
    bottom_gradients: dict[str, Array] = field(default_factory=dict)  # layer/bottom, right after its backward
    blob_gradients: dict[str, Array] = field(default_factory=dict)  # blob, after the whole backward
    weight_gradients: dict[str, Array] = field(default_factory=dict)  # layer/index
    losses: dict[str, Array] = field(default_factory=dict)  # blob: one value per iteration of training
    final_weights: dict[str, Array] = field(default_factory=dict)  # layer/index, after training
    histories: dict[str, Array] = field(default_factory=dict)  # the solver's blobs by number
    notes: list[str] = field(default_factory=list)
    is_folded: bool = False  # whether its net has no normalisation: the weights before may contain it
    is_forced: bool = True  # whether gradients were forced to every bottom; else only to those that learn

    def top(self, layer: str, top: str, is_last: bool) -> Recorded | None:
        """Returns a layer's top, or None if unknown; `is_last` says that no later layer writes this blob."""
        key = f"{layer}/{top}"
        found = self.tops.get(key, self.fed.get(key))
        return self.blobs.get(top) if found is None and is_last else found

    def bottom_gradient(self, layer: str, bottom: str, is_last: bool) -> Array | None:
        """Returns the gradient of a layer's bottom, or None if unknown.

        `is_last` says that no later backward writes this blob's gradient.
        """
        found = self.bottom_gradients.get(f"{layer}/{bottom}")
        return self.blob_gradients.get(bottom) if found is None and is_last else found


#: By first part of a key, the field of Recording that holds the array.
PARTS = {
    "in": "inputs",
    "param": "weights",
    "fwd": "tops",
    "full": "blobs",
    "param_after": "weights_after",
    "out_diff": "seeds",
    "bwd": "bottom_gradients",
    "diff": "blob_gradients",
    "param_diff": "weight_gradients",
    "final": "final_weights",
    "history": "histories",
}
#: Parts whose keys begin with the layer's number. Numbers differ between programs (Splits, data layers).
NUMBERED = {"fwd", "bwd"}
_NUMBERED_SAMPLE = re.compile(r"\d{3,}/.+/")


def read_recording(path: str | Path) -> Recording:
    """Reads a dump that record_blobs.py wrote; keys are as in PARTS, samples are `sample/...` with `stat/...`."""
    arrays = load_npz(path, "a dump by record_blobs.py (.npz)")
    recording = Recording(str(path))
    for key, values in arrays.items():
        _place(recording, key, values, arrays)
    if not (recording.tops or recording.blobs or recording.losses):
        raise FormatError(
            f"{path}: expected keys 'fwd/<n>/<layer>/<top>' or losses by blob, found {sorted(arrays)[:3]}; "
            "record the run with tools/record_blobs.py"
        )
    return recording


def _place(recording: Recording, key: str, values: Array, arrays: dict[str, Array]) -> None:
    part, _, name = key.partition("/")
    if part == "about":
        recording.source = f"{values} ({recording.source})"
    elif part == "note":
        recording.notes.append(str(values))
    elif part == "is_forced":
        recording.is_forced = bool(values)
    elif part == "sample":
        target = recording.tops if _NUMBERED_SAMPLE.match(name) else recording.blobs
        known = _without_number(name) if target is recording.tops else name
        target.setdefault(known, BlobSample(values, float(arrays[f"stat/{name}"][2])))
    elif part in PARTS:
        getattr(recording, PARTS[part])[_without_number(name) if part in NUMBERED else name] = values
    elif part != "stat":
        recording.losses[key] = values


def _without_number(name: str) -> str:
    return name.partition("/")[2]
