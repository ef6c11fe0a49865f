"""How much of a split is written: a small file, replaced after each block, from which a killed run continues."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from caffe_compat.errors import FormatError
from caffe_compat.proto.file_bytes import read_bytes, replacing


@dataclass
class WrittenSoFar:
    """`samples` are done, of which `kept` are in the dataset; `sizes` of the text files are in bytes.

    `digest` is of all samples done, so that data that have changed since are noticed; `left_out` and `changed` count
    findings by kind.
    """

    samples: int = 0
    kept: int = 0
    digest: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    complete: bool = False

    @classmethod
    def load(cls, path: Path) -> Self:
        """The progress that the file holds; that of a new run if there is no file."""
        if not path.exists():
            return cls()
        try:
            said = json.loads(read_bytes(path, "the progress of prepare"))
            return cls(**said | {name: Counter(said[name]) for name in ("left_out", "changed")})
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise FormatError(f"{path}: expected the progress of prepare, found a damaged file; remove the unfinished "
                              f"folder {path.parent.parent}") from error  # fmt: skip

    def save(self, path: Path) -> None:
        """Replace the file by one that holds this progress."""
        with replacing(path) as beside:
            beside.write_text(json.dumps(vars(self)), encoding="utf-8")
