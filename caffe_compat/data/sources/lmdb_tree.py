"""The tree of records of an LMDB's data.mdb (format 1 of LMDB 0.9): its pages, and a cursor with LMDB's operations.

LMDB's own reader trusts the file: a damaged or truncated file ends the process (SIGSEGV, SIGBUS, SIGABRT). Here every
offset is checked against the file. Pages are read by `pread`, so that truncation during reading and disk errors also
become exceptions.
"""

import os
import struct
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from caffe_compat.errors import DataError

NO_PAGE = 2**64 - 1
BRANCH, LEAF, OVERFLOW = 0x01, 0x02, 0x04
_KINDS = 0x07
BIG_VALUE, OTHER_VALUES = 0x01, 0x06  # node flags: value on overflow pages; sub-databases and duplicates
PAGE_HEADER = struct.Struct("<QHHHH")  # page number, padding, flags, end of the offsets, start of the nodes
NODE_HEADER = struct.Struct("<HHHH")  # size or page number (low, high), flags or page number, size of the key
_OFFSET = struct.Struct("<H")
#: Number of branch pages kept in memory; at 100 children per page, enough for tens of millions of records.
_KEPT_PAGES = 2048


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


class PageEntry(NamedTuple):
    """An entry of a page: its key, and the number of the child page or the place of the value."""

    key: bytes
    child: int
    value: bytes | None  # None: the value's `size` bytes lie on overflow pages from page `child` on
    size: int


class PageFile:
    """An open file of pages of `page_size` bytes: no page lies behind `last_page`, and no byte behind `length`."""

    page_size = 0
    length = 0
    last_page = 0

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

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


def node(page: bytes, index: int) -> PageEntry:
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
        return PageEntry(page[key_start:end], low | high << 16 | flags << 32, None, 0)
    if flags & OTHER_VALUES:
        raise DamagedError(
            f"node {index} of page {number} is a sub-database or has duplicates, which Caffe never writes"
        )
    size = low | high << 16
    if flags & BIG_VALUE:
        _require_inside(end + 8, page, index, number)
        return PageEntry(page[key_start:end], int.from_bytes(page[end : end + 8], "little"), None, size)
    _require_inside(end + size, page, index, number)
    return PageEntry(page[key_start:end], NO_PAGE, page[end : end + size], size)


def _require_inside(end: int, page: bytes, index: int, number: int) -> None:
    if end > len(page):
        raise DamagedError(f"node {index} of page {number} ends behind the page")


class LmdbCursor:
    """A position in the database, set by `first`, `last`, `set_range` or `next`.

    DataError names the key near a damaged page.
    """

    def __init__(self, file: PageFile, meta: Meta, place: str) -> None:
        self._file = file
        self._meta = meta
        self._place = place
        self._path: list[tuple[bytes, int]] = []  # from the root to the leaf: a page and the index of a node
        self._node: PageEntry | None = None
        self._near = b""
        self._pages: OrderedDict[int, bytes] = OrderedDict()

    def first(self) -> bool:
        """Moves to the first record; False if there is none."""
        return self._go(lambda: self._descend_to(b""))

    def last(self) -> bool:
        """Moves to the last record; False if there is none."""
        return self._go(self._descend_to_last)

    def set_range(self, key: bytes) -> bool:
        """Moves to the first record whose key is at or above `key`; False if there is none."""
        self._near = key
        return self._go(lambda: self._descend_to(key))

    def next(self) -> bool:
        """Moves to the next record; False at the end."""
        return self._go(self._step)

    def key(self) -> bytes:
        """The key of the current record."""
        return b"" if self._node is None else self._node.key

    def value(self) -> bytes:
        """The value of the current record."""
        if self._node is None:
            return b""
        if self._node.value is not None:
            return self._node.value
        try:
            return self._file.big_value(self._node.child, self._node.size)
        except DamagedError as error:
            raise self._damaged(error) from error

    def leaves(self) -> Iterator[tuple[bytes, int]]:
        """Every leaf page in the order of keys, with its number of records."""
        found = self.first()
        while found:
            page = self._path[-1][0]
            yield page, node_count(page)
            self._path[-1] = (page, node_count(page) - 1)
            found = self.next()

    def check(self, values: bool) -> None:
        """Reads all records: keys must ascend and match the database's count; `values` also reads the values."""
        count, before, found = 0, None, self.first()
        while found:
            key = self.key()
            if before is not None and key <= before:
                raise self._damaged(DamagedError("keys are not in ascending order"))
            if values:
                self.value()
            count, before, found = count + 1, key, self.next()
        if count != self._meta.entries:
            raise self._damaged(DamagedError(f"it counts {self._meta.entries} records and holds {count}"))

    def _go(self, move: Callable[[], bool]) -> bool:
        try:
            found = move()
            self._node = node(*self._path[-1]) if found else None
        except DamagedError as error:
            raise self._damaged(error) from error
        if self._node is not None:
            self._near = self._node.key
        return found

    def _descend_to(self, key: bytes) -> bool:
        """Moves to the first record whose key is at or above `key`."""
        self._start()
        while self._path and len(self._path) < self._meta.depth:
            page = self._path[-1][0]
            self._enter(page, _last_not_above(page, key))
        if not self._path:
            return False
        leaf = self._path[-1][0]
        self._path[-1] = (leaf, _first_not_below(leaf, key))
        return self._path[-1][1] < node_count(leaf) or self._step_from_end()

    def _descend_to_last(self) -> bool:
        self._start()
        while self._path and len(self._path) < self._meta.depth:
            page = self._path[-1][0]
            self._enter(page, node_count(page) - 1)
        if self._path:
            leaf = self._path[-1][0]
            self._path[-1] = (leaf, node_count(leaf) - 1)
        return bool(self._path)

    def _step(self) -> bool:
        if not self._path or self._node is None:
            return False
        leaf, index = self._path[-1]
        self._path[-1] = (leaf, index + 1)
        return index + 1 < node_count(leaf) or self._step_from_end()

    def _step_from_end(self) -> bool:
        """Moves from beyond a leaf's last node to the first node of the next leaf."""
        while self._path:
            self._path.pop()
            if self._path and self._path[-1][1] + 1 < node_count(self._path[-1][0]):
                page, index = self._path[-1]
                self._enter(page, index + 1)
                break
        while self._path and len(self._path) < self._meta.depth:
            self._enter(self._path[-1][0], 0)
        if self._path:
            self._path[-1] = (self._path[-1][0], 0)
        return bool(self._path)

    def _start(self) -> None:
        self._path.clear()
        if self._meta.entries and self._meta.depth:
            self._path.append((self._page(self._meta.root, 1), 0))

    def _enter(self, page: bytes, index: int) -> None:
        """Moves down to the child of a branch page's node."""
        self._path[-1] = (page, index)
        self._path.append((self._page(node(page, index).child, len(self._path) + 1), 0))

    def _page(self, number: int, level: int) -> bytes:
        if level == self._meta.depth:
            return self._with_nodes(self._file.page(number, LEAF), number)
        if number not in self._pages:
            self._pages[number] = self._with_nodes(self._file.page(number, BRANCH), number)
            if len(self._pages) > _KEPT_PAGES:
                self._pages.popitem(last=False)
        return self._pages[number]

    def _with_nodes(self, page: bytes, number: int) -> bytes:
        if not node_count(page):
            raise DamagedError(f"page {number} is empty")
        return page

    def _damaged(self, error: DamagedError) -> DataError:
        near = self._near.decode(errors="replace")[:80]
        return DataError(
            f"{self._place} is damaged at key '{near}': {error}; copy it again, or make it again with convert_imageset"
        )


def _last_not_above(page: bytes, key: bytes) -> int:
    """The index of the child of a branch page that covers `key`; the first node counts as the lowest key."""
    low, high = 1, node_count(page)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if key_at(page, middle) <= key else (low, middle)
    return low - 1


def _first_not_below(page: bytes, key: bytes) -> int:
    low, high = 0, node_count(page)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if key_at(page, middle) < key else (low, middle)
    return low
