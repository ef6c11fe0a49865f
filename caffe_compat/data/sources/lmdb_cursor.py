"""A cursor over the main database of an LMDB, with LMDB's operations; every offset in a page is checked."""

from collections import OrderedDict
from collections.abc import Callable, Iterator

from caffe_compat.data.sources.lmdb_pages import (
    BRANCH,
    LEAF,
    DamagedError,
    Meta,
    Node,
    PageFile,
    key_at,
    node,
    node_count,
)
from caffe_compat.errors import DataError

#: Number of branch pages kept in memory; at 100 children per page, enough for tens of millions of records.
_KEPT_PAGES = 2048


class LmdbCursor:
    """A position in the database, set by `first`, `last`, `set_range` or `next`.

    DataError names the key near a damaged page.
    """

    def __init__(self, file: PageFile, meta: Meta, place: str) -> None:
        self._file = file
        self._meta = meta
        self._place = place
        self._path: list[tuple[bytes, int]] = []  # from the root to the leaf: a page and the index of a node
        self._node: Node | None = None
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
