"""PASCAL VOC: image sets with a file per class beside them, and XML files of objects."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.own.cells import EMPTY, MINUS_ONE, NOT_LISTED, ONE, UNSURE, ZERO, token_of
from caffe_compat.srn.datasets.own.rows import OwnFormat, OwnRow, text_lines
from caffe_compat.srn.datasets.regular_file import check_regular_file

#: What the files of classes say: -1 for absent, 0 for difficult, which VOC leaves out of evaluation.
_MEANT = {ONE: ONE, ZERO: UNSURE, MINUS_ONE: NOT_LISTED, EMPTY: UNSURE}
LARGEST_XML = 2**22  # bytes; those of VOC have a few thousand


def is_image_set(path: Path) -> bool:
    """Whether a text file is an image set: files per class or XML are where VOC has them."""
    return bool(_class_files(path)) or (_devkit(path) / "Annotations").is_dir()


def read_image_set(path: Path) -> OwnFormat:
    """The images of a set such as ImageSets/Main/trainval.txt.

    Labels come from CLASS_trainval.txt (1, -1, and 0 for objects that are difficult alone), or else from XML files.
    """
    root = _devkit(path) / "JPEGImages"
    classes = _class_files(path)
    if not classes:
        files = [_devkit(path) / "Annotations" / f"{line.split()[0]}.xml" for line in text_lines(path) if line.strip()]
        return _from_xml(files, root)
    cells = {name: dict(_class_lines(file, name)) for name, file in classes.items()}
    note = f"PASCAL VOC's image set with {len(classes)} files of classes; 0 (difficult) means unknown"
    return OwnFormat(partial(_set_rows, path, cells), list(classes), root, [note])


def _set_rows(path: Path, cells: Mapping[str, Mapping[str, str]]) -> Iterator[OwnRow]:
    for number, line in enumerate(text_lines(path), start=1):
        if line.strip():
            image, owner = line.split()[0], f"{path}, line {number}"
            without = next((name for name, images in cells.items() if image not in images), None)
            if without is not None:
                raise DataError(f"{owner}: expected a line for image '{image}' in {without}_{path.name}, found none")
            yield OwnRow(owner, image, {name: images[image] for name, images in cells.items()})


def read_xml_folder(folder: Path) -> OwnFormat:
    """The images of all XML files of a folder."""
    images = folder.parent / "JPEGImages"
    return _from_xml(sorted(folder.glob("*.xml")), images if images.is_dir() else folder)


def _from_xml(files: list[Path], root: Path) -> OwnFormat:
    names = sorted({name for file in files for name, _ in _objects(_parsed(file), file)})
    return OwnFormat(partial(_xml_rows, files, names), names, root, [f"{len(files):,} XML files of objects"])


def _xml_rows(files: list[Path], names: list[str]) -> Iterator[OwnRow]:
    """A label is unsure where all its objects are difficult, as in VOC's files of classes."""
    for file in files:
        parsed = _parsed(file)
        cells = dict.fromkeys(names, NOT_LISTED)
        for name, difficult in _objects(parsed, file):
            cells[name] = ONE if cells[name] == ONE or not difficult else UNSURE
        yield OwnRow(str(file), (parsed.findtext("filename") or file.stem).strip(), cells)


def _objects(parsed: ElementTree.Element, file: Path) -> Iterator[tuple[str, bool]]:
    """Names of the objects and whether they are difficult."""
    for found in parsed.iter("object"):
        name = (found.findtext("name") or "").strip()
        if not name:
            raise DataError(f"{file}: expected a 'name' in each 'object', found none")
        yield name, (found.findtext("difficult") or "0").strip() == "1"


def _parsed(file: Path) -> ElementTree.Element:
    check_regular_file(file, "annotations")
    try:
        if file.stat().st_size > LARGEST_XML:
            raise DataError(f"{file}: expected at most {LARGEST_XML:,} bytes, found {file.stat().st_size:,}")
        text = file.read_bytes()
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:  # definitions can grow without bound
            raise DataError(f"{file}: expected plain XML, found definitions (DOCTYPE or ENTITY); remove them")
        return ElementTree.fromstring(text)
    except OSError as error:
        raise DataError(f"{file}: cannot read the annotations ({error.strerror}); check the path") from error
    except (ElementTree.ParseError, RecursionError, ValueError) as error:
        raise DataError(f"{file}: expected XML, found {error}") from error


def _devkit(path: Path) -> Path:
    """The folder of ImageSets, such as VOCdevkit/VOC2007."""
    return path.absolute().parents[2] if len(path.absolute().parents) > 2 else path.parent


def _class_files(path: Path) -> dict[str, Path]:
    """Files such as aeroplane_trainval.txt beside trainval.txt, by class."""
    ending = f"_{path.name}"
    return {file.name.removesuffix(ending): file for file in sorted(path.parent.glob(f"*{ending}"))}


def _class_lines(path: Path, label: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text_lines(path), start=1):
        if line.strip():
            image, _, cell = line.strip().partition(" ")
            yield image, _MEANT[token_of(cell, f"{path}, line {number}", label)]
