"""Copies a weights file's blobs into a net's own memory while its layers are built.

Building needs the address and shape of a blob, not its values, so a thread can read the values meanwhile.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate

import numpy as np

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import Blob
from caffe_compat.proto.file_bytes import MappedFile, Part, mapping_of
from caffe_compat.proto.read import LayerBlobs

Arrays = Mapping[str, list[Blob]]

#: Number of floats in 64 bytes, the alignment of PyTorch's own tensors.
ALIGNMENT = 16
#: Number of floats in a memory page of 4096 bytes, the smallest page size of common systems.
PAGE = 1024


def blobs_to_keep(net: caffe_pb2.NetParameter, sources: Sequence[LayerBlobs]) -> Arrays:
    """Returns, by layer name, the file's blobs that layers can use as their own weights.

    Skips layer names that occur twice, since only the first such layer gets weights.
    Also skips layers that share parameters, since a file may leave out their blobs.
    """
    sharers = {layer.name for layer in net.layer if any(param.name for param in layer.param)}
    names = (_once(layer.name for layer in net.layer) & _once(source.name for source in sources)) - sharers
    return {source.name: source.blobs for source in sources if source.name in names}


def _once(names: Iterable[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count == 1}


@contextmanager
def copied_beside(blobs: Arrays) -> Iterator[Arrays]:
    """Yields copies of the blobs by layer name; the values are complete only when the `with` block has ended.

    Copies are needed because the bytes of a mapped file are read-only and unaligned. A thread reads them meanwhile.
    """
    copies = _in_one_block(blobs)
    reads = _parts(copies, blobs)
    with ThreadPoolExecutor(1) as beside:
        filled = [beside.submit(file.read_parts, parts) for file, parts in reads.items()]
        yield copies
        for reading in filled:
            reading.result()


def _in_one_block(blobs: Arrays) -> Arrays:
    """Returns uninitialised arrays for the copies, all within one block of memory.

    The system backs one large block with large pages, which is several times faster than many small blocks. Pages are
    placed near the processor that writes first, so this thread touches every page before the reader thread does.
    """
    sizes = [-(-blob.size // ALIGNMENT) * ALIGNMENT for arrays in blobs.values() for blob in arrays]
    block = np.empty(sum(sizes), np.float32)
    block[::PAGE] = 0
    starts = iter([0, *accumulate(sizes)])
    return {name: [_place(block, next(starts), blob) for blob in arrays] for name, arrays in blobs.items()}


def _place(block: Blob, start: int, blob: Blob) -> Blob:
    return block[start : start + blob.size].reshape(blob.shape)


def _parts(copies: Arrays, blobs: Arrays) -> dict[MappedFile, list[Part]]:
    """Returns, by mapped file, the parts to read: offset and target. Copies arrays outside mapped files at once."""
    parts: dict[MappedFile, list[Part]] = {}
    for name, arrays in blobs.items():
        for copy, array in zip(copies[name], arrays, strict=True):
            file = mapping_of(array)
            if file is None:
                np.copyto(copy, array)
            else:
                parts.setdefault(file, []).append((file.offset_of(array), copy))
    return parts
