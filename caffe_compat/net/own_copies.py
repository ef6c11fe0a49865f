"""A net's own copies of a file's blobs, made while its layers are built: these need to know where, not what."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate
from threading import RLock

import numpy as np

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import Blob
from caffe_compat.proto.read import LayerBlobs

Arrays = Mapping[str, list[Blob]]

#: Floats in 64 bytes, what PyTorch's own tensors begin at multiples of.
ALIGNMENT = 16
#: Floats in a page of memory, of the smallest pages that systems have.
PAGE = 1024
#: Floats of blobs that are worth a copy beside the interpreter; each makes two threads wait for each other once.
LARGE = 1 << 19
#: How long the copying thread waits for the interpreter between two blobs; Python waits 5 ms, longer than a copy takes.
HANDOVER_SECONDS = 2e-5
#: Held while the interpreter's own setting is another: what threads save and restore must nest.
_HANDOVER = RLock()


def blobs_to_keep(net: caffe_pb2.NetParameter, sources: Sequence[LayerBlobs]) -> Arrays:
    """The blobs of layers that net and file name once, which can be the layers' own.

    Of layers of one name, the file fills the first; and what layers share may be left out of a file.
    """
    sharers = {layer.name for layer in net.layer if any(param.name for param in layer.param)}
    names = (_once(layer.name for layer in net.layer) & _once(source.name for source in sources)) - sharers
    return {source.name: source.blobs for source in sources if source.name in names}


def _once(names: Iterable[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count == 1}


@contextmanager
def copied_beside(blobs: Arrays) -> Iterator[Arrays]:
    """The copies, by layer name; the large ones are filled when the `with` block has ended, not before.

    The file's bytes themselves are read-only, and lie where float32 should not. NumPy lets go of the interpreter
    while it copies, so the block runs beside.
    """
    copies = _in_one_block(blobs)
    pairs = [pair for name, arrays in blobs.items() for pair in zip(copies[name], arrays, strict=True)]
    _fill([pair for pair in pairs if pair[0].size < LARGE])
    with _quick_handover(), ThreadPoolExecutor(1) as beside:
        filled = beside.submit(_fill, [pair for pair in pairs if pair[0].size >= LARGE])
        yield copies
        filled.result()


def _in_one_block(blobs: Arrays) -> Arrays:
    """Room for the copies in one block of memory.

    The system gives one large block in large pages, several times as fast as many small ones. It gives them when they
    are first written, from memory near the processor that writes: here, not where the copying thread happens to run.
    """
    sizes = [-(-blob.size // ALIGNMENT) * ALIGNMENT for arrays in blobs.values() for blob in arrays]
    block = np.empty(sum(sizes), np.float32)
    block[::PAGE] = 0
    starts = iter([0, *accumulate(sizes)])
    return {name: [_place(block, next(starts), blob) for blob in arrays] for name, arrays in blobs.items()}


def _place(block: Blob, start: int, blob: Blob) -> Blob:
    return block[start : start + blob.size].reshape(blob.shape)


def _fill(pairs: Sequence[tuple[Blob, Blob]]) -> None:
    for copy, array in pairs:
        np.copyto(copy, array)


@contextmanager
def _quick_handover() -> Iterator[None]:
    with _HANDOVER:
        before = sys.getswitchinterval()
        sys.setswitchinterval(HANDOVER_SECONDS)
        try:
            yield
        finally:
            sys.setswitchinterval(before)
