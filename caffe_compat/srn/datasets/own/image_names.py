"""Names in annotations to files: suffixes left out, backslashes, absolute paths under the folder of images."""

import os
from pathlib import Path

from caffe_compat.srn.datasets.image_header import SUFFIXES, has_image_suffix


class ImageNames:
    """Finds the files of names under a folder, and counts the names that had to be changed."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._absolute = f"{os.path.abspath(root)}/"
        self._suffixes = list(SUFFIXES) + [suffix.upper() for suffix in SUFFIXES]

    def file_name(self, name: str) -> str:
        """The name of the image's file under the folder; the name itself where nothing is found."""
        name = name.strip()
        if name.startswith(self._absolute):
            name = name[len(self._absolute) :]
        if "\\" in name and not self._exists(name):
            name = name.replace("\\", "/")
        name = name.removeprefix("./")
        return name if not name or has_image_suffix(name) or self._exists(name) else self._with_suffix(name)

    def _with_suffix(self, name: str) -> str:
        for suffix in self._suffixes:
            if self._exists(f"{name}{suffix}"):
                self._suffixes.remove(suffix)
                self._suffixes.insert(0, suffix)  # most likely the next file's too
                return f"{name}{suffix}"
        return name

    def _exists(self, name: str) -> bool:
        try:
            return (self._root / name).is_file()
        except (OSError, ValueError):  # a name that no file can have
            return False
