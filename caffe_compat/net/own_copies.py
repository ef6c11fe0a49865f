"""A net's own copies of a file's blobs, made while its layers are built: these need to know where, not what."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate

import numpy as np

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import Blob
from caffe_compat.proto.mapped_file import MappedFile, Part, mapping_of
from caffe_compat.proto.read import LayerBlobs

Arrays = Mapping[str, list[Blob]]

#: Floats in 64 bytes, what PyTorch's own tensors begin at multiples of.
ALIGNMENT = 16
#: Floats in a page of memory, of the smallest pages that systems have.
PAGE = 1024


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
    """The copies, by layer name; they are whole when the `with` block has ended, not before.

    The bytes of a mapped file are read-only, and lie where float32 should not. They are read while the block runs.
    """
    copies = _in_one_block(blobs)
    reads = _parts(copies, blobs)
    with ThreadPoolExecutor(1) as beside:
        filled = [beside.submit(file.read_parts, parts) for file, parts in reads.items()]
        yield copies
        for reading in filled:
            reading.result()


def _in_one_block(blobs: Arrays) -> Arrays:
    """Room for the copies in one block of memory.

    The system gives one large block in large pages, several times as fast as many small ones. It gives them when they
    are first written, from memory near the processor that writes: here, not where the reading thread happens to run.
    """
    sizes = [-(-blob.size // ALIGNMENT) * ALIGNMENT for arrays in blobs.values() for blob in arrays]
    block = np.empty(sum(sizes), np.float32)
    block[::PAGE] = 0
    starts = iter([0, *accumulate(sizes)])
    return {name: [_place(block, next(starts), blob) for blob in arrays] for name, arrays in blobs.items()}


def _place(block: Blob, start: int, blob: Blob) -> Blob:
    return block[start : start + blob.size].reshape(blob.shape)


def _parts(copies: Arrays, blobs: Arrays) -> dict[MappedFile, list[Part]]:
    """What is to be read from which file; other arrays are copied at once."""
    parts: dict[MappedFile, list[Part]] = {}
    for name, arrays in blobs.items():
        for copy, array in zip(copies[name], arrays, strict=True):
            file = mapping_of(array)
            if file is None:
                np.copyto(copy, array)
            else:
                parts.setdefault(file, []).append((file.offset_of(array), copy))
    return parts
