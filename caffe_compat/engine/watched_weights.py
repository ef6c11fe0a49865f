"""Values made of weights: what the fast engine computes once, and again only after a weight has changed.

Torch counts writes to a tensor, except those through `.data` or NumPy. So the values are compared as well: whole in a
blob of at most COMPARED_WHOLE values, and a few of them in a larger one, where changes of single values may be missed.
Torch's own compiled and frozen modules miss them too.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any, Generic, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from caffe_compat.layers.base import Layer
from caffe_compat.net.blob import host_writes

T = TypeVar("T")

#: Held by the one thread that looks for changes and computes anew: torch lets other threads run while it computes, and
#: a second thread in the same net would take the values from before the change.
ONE_AT_A_TIME = RLock()
#: Number of values of a large blob that are compared.
PROBES = 8
#: Blobs of up to this many values are compared whole: all but the weights of layers with many channels. Blobs with
#: gaps in memory always are, since probes might meet only the gaps.
COMPARED_WHOLE = 16384
#: Whole numbers as wide as a value of so many bytes: NumPy has no bfloat16, and NaN is not equal to itself.
WHOLE_NUMBERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class WeightWatch:
    """Tells whether a blob of some layers has changed since the last question.

    A forward pass asks about hundreds of blobs, so each step here goes over all of them in one call where it can.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self._tables = [table for layer in layers for table in (layer._parameters, layer._buffers)]
        self._blobs: list[Tensor] = []
        self._places: list[tuple[int, tuple[int, ...]]] | None = None
        #: Views that keep the blobs' memory: another blob at an address that is free again would look like the old one.
        self._held: list[Tensor] = []
        self._counted: list[Tensor] = []
        self._small: list[list[Tensor]] = []
        self._large: list[NDArray[Any]] = []
        self._marks: list[object] = []
        self._values: list[Tensor] = []

    def has_changed(self) -> bool:
        """Whether a blob was written or replaced since the last call; true in the first one."""
        blobs = [blob for table in self._tables for blob in table.values() if blob is not None]
        # The same memory in another order is a change: `weight.data = weight.data.transpose(0, 1)`.
        places = [(blob.data_ptr(), blob.stride()) for blob in blobs]
        is_new = places != self._places or list(map(id, blobs)) != list(map(id, self._blobs))
        if is_new:
            self._look_at(blobs)
            self._blobs, self._places, self._held = blobs, places, [blob.detach() for blob in blobs]
        marks = [
            *[blob._version for blob in self._counted],
            *[host_writes(blob) for blob in blobs],
            *[probes.tobytes() for probes in self._large],
        ]
        values = [torch.cat(alike) for alike in self._small]
        has_changed = is_new or marks != self._marks or not all(map(torch.equal, values, self._values))
        self._marks, self._values = marks, values
        return has_changed

    def _look_at(self, blobs: list[Tensor]) -> None:
        """Makes views of the blobs' values, which show later writes as long as the blobs stay where they are."""
        self._counted = [blob for blob in blobs if not blob.is_inference()]
        # Reading from a GPU would wait for it.
        seen = [blob.detach() for blob in blobs if blob.device.type == "cpu" and blob.numel()]
        alike: dict[int, list[Tensor]] = defaultdict(list)
        self._large = []
        for blob in seen:
            room = _room(blob)
            if room > COMPARED_WHOLE and room == blob.numel():
                self._large.append(_whole_numbers(blob, PROBES, (room - 1) // (PROBES - 1)).numpy())
            else:
                alike[blob.itemsize].append(_whole_numbers(blob, room, 1))
        self._small = list(alike.values())


def _room(blob: Tensor) -> int:
    """The number of values in memory from the blob's first to its last: fewer than its own if it is expanded.

    Values in gaps count as well: a change of them costs work and does no harm.
    """
    return 1 + sum((size - 1) * stride for size, stride in zip(blob.shape, blob.stride(), strict=True))


def _whole_numbers(blob: Tensor, count: int, step: int) -> Tensor:
    """Returns a view (count,) of every `step`-th value in the blob's memory, as whole numbers."""
    return blob.as_strided((count,), (step,)).view(WHOLE_NUMBERS[blob.itemsize])


class MadeOfWeights(Generic[T]):
    """Caches the result of a function of some layers' blobs, and computes it again when a blob has changed.

    A call passes its arguments to the function. If only the arguments change, the cached result is returned.
    """

    def __init__(self, layers: Sequence[Layer], make: Callable[..., T]) -> None:
        self._watch = WeightWatch(layers)
        self._make = make
        self._made: tuple[T] | None = None

    def __call__(self, *arguments: Any) -> T:
        with ONE_AT_A_TIME:
            if self._watch.has_changed() or self._made is None:
                self._made = None
                with torch.no_grad():
                    self._made = (self._make(*arguments),)
            return self._made[0]
