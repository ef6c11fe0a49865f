"""Reads the pages of an LMDB's data.mdb (format 1 of LMDB 0.9), with every offset checked against the file.

LMDB's own reader trusts the file: a damaged or truncated file ends the process (SIGSEGV, SIGBUS, SIGABRT). Pages are
read by `pread`, so that truncation during reading and disk errors also become exceptions.
"""

import os
import struct
from typing import NamedTuple

from caffe_compat.data.regular_file import open_regular
from caffe_compat.errors import DataError

MAGIC, VERSION = 0xBEEFC0DE, 1
NO_PAGE = 2**64 - 1
BRANCH, LEAF, OVERFLOW = 0x01, 0x02, 0x04
_KINDS = 0x07
BIG_VALUE, OTHER_VALUES = 0x01, 0x06  # node flags: value on overflow pages; sub-databases and duplicates
PAGE_HEADER = struct.Struct("<QHHHH")  # page number, padding, flags, end of the offsets, start of the nodes
NODE_HEADER = struct.Struct("<HHHH")  # size or page number (low, high), flags or page number, size of the key
_OFFSET = struct.Struct("<H")
_META = struct.Struct("<IIQQ")  # magic, version, address, size of the map
_DATABASE = struct.Struct("<IHHQQQQQ")  # page size, flags, depth, branch, leaf and overflow pages, entries, root
_META_END = struct.Struct("<QQ")  # last page, transaction
_META_BYTES = PAGE_HEADER.size + _META.size + 2 * _DATABASE.size + _META_END.size


class Meta(NamedTuple):
    """The description of the main database in a meta page."""

    page_size: int
    flags: int
    depth: int
    entries: int
    root: int
    last_page: int
    transaction: int


class DamagedError(Exception):
    """What is wrong with a page; callers add the file and the key."""


class Node(NamedTuple):
    """An entry of a page: its key, and the number of the child page or the place of the value."""

    key: bytes
    child: int
    value: bytes | None  # None: the value's `size` bytes lie on overflow pages from page `child` on
    size: int


class PageFile:
    """An open data.mdb; `meta(transaction)` returns the description of its database."""

    def __init__(self, path: str, owner: str) -> None:
        self._descriptor = open_regular(path, owner)
        try:
            self.length = os.fstat(self._descriptor).st_size
            self._metas = self._read_metas(owner)
        except BaseException:
            os.close(self._descriptor)
            raise
        self.page_size = self._metas[0].page_size
        self.last_page = max(meta.last_page for meta in self._metas)

    def meta(self, transaction: int | None = None) -> Meta:
        """The meta page of a transaction, or the newest meta page for None."""
        newest = max(self._metas, key=lambda meta: meta.transaction)
        return next((meta for meta in self._metas if meta.transaction == transaction), newest)

    def refresh(self, place: str) -> None:
        """Reads the meta pages again, because a writer may have replaced them."""
        self.length = os.fstat(self._descriptor).st_size
        self._metas = self._read_metas(place)
        self.last_page = max(meta.last_page for meta in self._metas)

    def is_short(self) -> bool:
        """Whether the file ends before the last page counted by the newest meta page."""
        return (self.meta().last_page + 1) * self.page_size > self.length

    def page(self, number: int, kind: int) -> bytes:
        """A page; DamagedError unless its header states this page number and kind."""
        content = self._read(number * self.page_size, self.page_size, number)
        own, _, flags, lower, upper = PAGE_HEADER.unpack_from(content)
        if own != number:
            raise DamagedError(f"page {number} says that it is page {own}")
        if flags & _KINDS != kind:
            raise DamagedError(f"page {number} is of another kind ({flags:#x}) than the pages above say ({kind:#x})")
        if not PAGE_HEADER.size <= lower <= upper <= self.page_size:
            raise DamagedError(f"page {number} has its nodes at {lower} to {upper} of {self.page_size} bytes")
        return content

    def big_value(self, number: int, size: int) -> bytes:
        """A value on overflow pages, which begin at page `number`."""
        header = self._read(number * self.page_size, PAGE_HEADER.size, number)
        own, _, flags, low, high = PAGE_HEADER.unpack_from(header)
        pages = low | high << 16
        if own != number or flags & _KINDS != OVERFLOW or pages * self.page_size < size + PAGE_HEADER.size:
            raise DamagedError(f"page {number} does not hold the {size} bytes of a value")
        return self._read(number * self.page_size + PAGE_HEADER.size, size, number)

    def _read(self, offset: int, size: int, page: int) -> bytes:
        if page > self.last_page or offset + size > self.length:
            raise DamagedError(f"page {page} lies behind the end of the file ({self.length} bytes)")
        try:
            content = os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise DamagedError(f"page {page} cannot be read: {error.strerror}") from error
        if len(content) < size:
            raise DamagedError(f"page {page} lies behind the end of the file, which was cut while it was read")
        return content

    def _read_metas(self, place: str) -> list[Meta]:
        first = self._read_meta(0)
        second = None if first is None else self._read_meta(first.page_size)
        if first is None or second is None or first.page_size != second.page_size:
            raise DataError(
                f"{place} is no LMDB of 64 bits, or its first pages are damaged; copy it again, or make it again with "
                "convert_imageset"
            )
        return [first, second]

    def _read_meta(self, offset: int) -> Meta | None:
        content = os.pread(self._descriptor, _META_BYTES, offset)
        if len(content) < _META_BYTES:
            return None
        magic, version, _, _ = _META.unpack_from(content, PAGE_HEADER.size)
        free_at = PAGE_HEADER.size + _META.size
        page_size = _DATABASE.unpack_from(content, free_at)[0]
        _, flags, depth, _, _, _, entries, root = _DATABASE.unpack_from(content, free_at + _DATABASE.size)
        last_page, transaction = _META_END.unpack_from(content, free_at + 2 * _DATABASE.size)
        known = magic == MAGIC and version == VERSION and 512 <= page_size <= 65536 and page_size & (page_size - 1) == 0
        return Meta(page_size, flags, depth, entries, root, last_page, transaction) if known else None

    def close(self) -> None:
        """Closes the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def node_count(page: bytes) -> int:
    """The number of nodes of a page."""
    lower: int = PAGE_HEADER.unpack_from(page)[3]
    return (lower - PAGE_HEADER.size) // 2


def key_at(page: bytes, index: int) -> bytes:
    """The key of a node; faster than `node`, for searches."""
    (start,) = _OFFSET.unpack_from(page, PAGE_HEADER.size + 2 * index)
    if start + NODE_HEADER.size > len(page):
        raise DamagedError(f"node {index} of page {PAGE_HEADER.unpack_from(page)[0]} lies outside of the page")
    (size,) = _OFFSET.unpack_from(page, start + 6)
    return page[start + NODE_HEADER.size : start + NODE_HEADER.size + size]


def node(page: bytes, index: int) -> Node:
    """A node of a branch or leaf page; `index` must be below `node_count`."""
    number, _, kind, _, upper = PAGE_HEADER.unpack_from(page)
    (start,) = _OFFSET.unpack_from(page, PAGE_HEADER.size + 2 * index)
    key_start = start + NODE_HEADER.size
    if start < upper or key_start > len(page):
        raise DamagedError(f"node {index} of page {number} lies outside of the page")
    low, high, flags, key_size = NODE_HEADER.unpack_from(page, start)
    end = key_start + key_size
    if kind & BRANCH:
        _require_inside(end, page, index, number)
        return Node(page[key_start:end], low | high << 16 | flags << 32, None, 0)
    if flags & OTHER_VALUES:
        raise DamagedError(
            f"node {index} of page {number} is a sub-database or has duplicates, which Caffe never writes"
        )
    size = low | high << 16
    if flags & BIG_VALUE:
        _require_inside(end + 8, page, index, number)
        return Node(page[key_start:end], int.from_bytes(page[end : end + 8], "little"), None, size)
    _require_inside(end + size, page, index, number)
    return Node(page[key_start:end], NO_PAGE, page[end : end + size], size)


def _require_inside(end: int, page: bytes, index: int, number: int) -> None:
    if end > len(page):
        raise DamagedError(f"node {index} of page {number} ends behind the page")
