"""The source of the Data layer: databases of Datum messages (data_layer.cpp)."""

import logging
from collections.abc import Sequence

import cv2

from caffe_compat.data.datum import datum_pixels, parse_datum
from caffe_compat.data.draws import Draws
from caffe_compat.data.sources.database import Database, KeyValue
from caffe_compat.data.sources.leveldb import LevelDb
from caffe_compat.data.sources.lmdb import Lmdb
from caffe_compat.data.sources.shards import open_shards
from caffe_compat.data.sources.source import Item, Source

logger = logging.getLogger("caffe_compat")

BACKENDS = {"LMDB": Lmdb, "LEVELDB": LevelDb}


class Datums(Source[KeyValue]):
    """Raw, float and encoded Datum messages from one or several databases; `flag` is cv2's flag for encoded ones."""

    def __init__(self, source: str, backend: str, flag: int, owner: str) -> None:
        self._owner = owner
        self._flag = flag
        self._database: Database = open_shards(source, owner, BACKENDS[backend])

    def __len__(self) -> int:
        return len(self._database)

    def fetch(self, ordinals: Sequence[int]) -> list[KeyValue]:
        """The records with these numbers."""
        return [self._database.record(ordinal) for ordinal in ordinals]

    def load(self, record: KeyValue, draws: Draws) -> Item:
        """The pixels and the label of a Datum."""
        owner = f"{self._owner}: record '{record.key.decode(errors='replace')}' of '{self._database.path}'"
        datum = parse_datum(record.value, owner)
        return Item(datum_pixels(datum, self._flag, owner), float(datum.label))

    def first(self) -> Item:
        """The first record; logs a warning if a flag for encoded images is set but records are raw."""
        record = self.fetch([0])[0]
        if self._flag != cv2.IMREAD_UNCHANGED and not self.are_encoded():
            logger.warning(
                "%s: force_color and force_gray only for encoded datum; '%s' is raw", self._owner, self._database.path
            )
        return self.load(record, Draws())

    def are_encoded(self) -> bool:
        """Whether records hold image files, judged by the first record."""
        return bool(parse_datum(self.fetch([0])[0].value, self._owner).encoded)

    def key(self, ordinal: int) -> bytes:
        """The key of the record with this number."""
        return self._database.record(ordinal).key

    def check(self) -> None:
        """Reads the structure of the databases, then reads and decodes every record."""
        self._database.check()
        super().check()

    def close(self) -> None:
        """Closes the databases."""
        self._database.close()
