"""The bytes of files: read or mapped, of what kind they are, and written completely or not at all.

Errors say what was given instead of the wanted kind. Parts of a mapped file go into arrays with few system calls. New
bytes are first written under a temporary name in the same folder, then renamed.
"""

import errno
import mmap
import os
import re
import stat
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

import numpy as np

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.blobs import NET_BLOBS, Chunk
from caffe_compat.proto.dialects import srn_fork_pb2
from caffe_compat.proto.wire import LENGTH_DELIMITED, VARINT, fields, misfits

HDF5 = "an HDF5 file"
SIGNATURES = (
    (b"\x89HDF\r\n\x1a\n", HDF5),
    (b"PK\x03\x04", "a zip archive (a PyTorch or NumPy file, or a download to unpack)"),
    (b"\x1f\x8b", "a gzip archive (unpack it first)"),
    (b"BZh", "a bzip2 archive (unpack it first)"),
    (b"\xfd7zXZ", "an xz archive (unpack it first)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive (unpack it first)"),
    (b"Rar!", "a RAR archive (unpack it first)"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"version https://git-lfs", "a Git LFS pointer (run 'git lfs pull' to get the file itself)"),
)
LMDB_MAGIC = b"\xde\xc0\xef\xbe"
# Strings, so that a # in one starts no comment; then comments, whose bytes Caffe's parser never looks at.
_COMMENT = re.compile(rb"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|#[^\n]*""")
NET_TEXT, SOLVER_TEXT, OTHER_TEXT = "a net as text (prototxt)", "a solver as text (prototxt)", "a text file"
TEXT_KINDS = (
    (re.compile(rb"\s*<(!doctype|html|\?xml)", re.I), "a web page (the download was not the file itself)"),
    (re.compile(rb"(?m)^\s*(net|train_net|base_lr|solver_mode|max_iter)\s*:"), SOLVER_TEXT),
    (re.compile(rb"(?m)^\s*(layers?\s*:?\s*\{|name\s*:|input\s*:)"), NET_TEXT),
)
#: What to give in place of a text file where a binary file is expected.
BINARY_FILE_CURES = {
    NET_TEXT: "it holds no weights: give the .caffemodel that belongs to it",
    SOLVER_TEXT: "it holds no weights: give the .caffemodel that its training wrote",
    OTHER_TEXT: "give a binary file that Caffe wrote, or download it again",
}
HEAD = 4096

#: Caffe's messages that a binary file can hold.
KINDS = {
    "NetParameter": "a net with weights (.caffemodel)",
    "SolverState": "a solver state (.solverstate)",
    "BlobProto": "a blob such as a mean image (.binaryproto)",
    "Datum": "a Datum",
}

#: Fields of ONNX's ModelProto: ir_version, graph, opset_import. Caffe's messages but BlobProto have other types there.
ONNX = {(1, VARINT), (7, LENGTH_DELIMITED), (8, LENGTH_DELIMITED)}

#: NetParameter's layers today.
LAYER = 100

#: The position of bytes in the file, and the array that they fill.
Part = tuple[int, np.ndarray[Any, np.dtype[Any]]]

#: Largest number of buffers per call (IOV_MAX of every system).
MOST_BUFFERS = 1024
#: Errors of a write to a full, broken or read-only disk.
REFUSED_WRITES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
#: Largest gap in bytes between two parts that is read and dropped, which is faster than a new call.
SMALL_GAP = 1 << 12


def kind_of(head: bytes) -> str | None:
    """Returns the kind of a file that starts with `head`, as words; None if it may be a protobuf message."""
    for signature, kind in SIGNATURES:
        if head.startswith(signature):
            return kind
    if LMDB_MAGIC in head[:32]:
        return "an LMDB data file"
    if b"\0" in head or not _is_text(head):
        return None
    return next((kind for pattern, kind in TEXT_KINDS if pattern.search(head)), OTHER_TEXT)


def is_hdf5(data: bytes) -> bool:
    """Whether a file is HDF5, whatever its name."""
    return kind_of(data[:HEAD]) == HDF5


def _is_text(head: bytes) -> bool:
    try:
        text = getincrementaldecoder("utf-8")().decode(head)  # which may end within a character
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character.isspace() for character in text)


def read_bytes(path: str | Path, wanted: str) -> bytes:
    """Returns a file's bytes; FormatError for a missing or empty file or a folder; `wanted` names the expected kind."""
    path = _existing(path, wanted)
    return path.read_bytes()


def open_file(path: str | Path, wanted: str) -> BufferedReader:
    """Returns a file opened for reading, with the errors of `read_bytes`."""
    return _existing(path, wanted).open("rb")


def map_bytes(path: str | Path, wanted: str) -> bytes:
    """Returns a file's bytes as a memory map, with the errors of `read_bytes`; pages are read when used."""
    return cast(bytes, MappedFile(_existing(path, wanted)))


def _existing(path: str | Path, wanted: str) -> Path:
    path = Path(path)
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise FormatError(f"{path}: no such file; expected {wanted}") from error
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise FormatError(f"{path}: cannot be read ({reason}); expected {wanted}") from error
    if stat.S_ISDIR(status.st_mode):
        raise FormatError(f"{path}: expected {wanted}, found a folder{_lmdb_hint(path)}")
    if not stat.S_ISREG(status.st_mode):
        # Reading a pipe could wait forever, and a device may never end.
        raise FormatError(f"{path}: expected {wanted}, found a pipe, socket or device; give a file")
    if not status.st_size:
        raise FormatError(f"{path}: expected {wanted}, found an empty file; copy or download it again")
    return path


def _lmdb_hint(path: Path) -> str:
    return " that holds an LMDB" if (path / "data.mdb").exists() else ""


def text_of(path: str | Path, data: bytes, wanted: str) -> str:
    """Returns the bytes as text; FormatError if they are binary or a file of another known kind."""
    kind = kind_of(data[:HEAD])
    if kind not in (None, NET_TEXT, SOLVER_TEXT, OTHER_TEXT):
        raise FormatError(f"{path}: expected {wanted}, found {kind}")
    try:
        text = _decoded(data)
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: expected {wanted}, found {_not_text(data, error)}") from error
    if "\0" in text:
        raise FormatError(f"{path}: expected {wanted}, found a binary file (a .caffemodel? give its .prototxt)")
    return text


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:  # comments may be in any encoding, often GBK; names may not
        return _COMMENT.sub(_plain_comment, data).decode("utf-8-sig")


def _plain_comment(found: "re.Match[bytes]") -> bytes:
    """Replaces bytes of a comment that are not ASCII by question marks; leaves strings as they are."""
    return found[0] if found[1] else bytes(byte if byte < 0x80 else ord("?") for byte in found[0])


def _not_text(data: bytes, error: UnicodeDecodeError) -> str:
    if b"\0" in data:
        return "a binary file (a .caffemodel? give its .prototxt)"
    line = data.count(b"\n", 0, error.start) + 1
    return f"bytes in line {line} that are not UTF-8; save the file as UTF-8"


def refuse_other_kinds(path: str | Path, data: bytes, wanted: str) -> None:
    """Raises FormatError if the bytes are a file of another known kind."""
    kind = kind_of(data[:HEAD])
    if kind is not None:
        cure = f"; {BINARY_FILE_CURES[kind]}" if kind in BINARY_FILE_CURES else ""
        raise FormatError(f"{path}: expected {wanted}, found {kind}{cure}")


def refuse_other_messages(path: str | Path, data: bytes, name: str, wanted: str) -> None:
    """Raises FormatError if the bytes are not a message `name`: cut off, not protobuf, or another Caffe message."""
    try:
        top = {(field.number, field.wire_type) for field in fields(data, 0, len(data))}
        is_onnx = name != "BlobProto" and top.issuperset(ONNX)
        numbers = {number for number, _ in top}
        if name == "NetParameter" and LAYER in numbers:
            return  # no other message has such a field
        unfit = [] if is_onnx else misfits(getattr(caffe_pb2, name).DESCRIPTOR, data)
    except FormatError as error:
        raise FormatError(
            f"{path}: expected {wanted}, but {error}; the file is cut off or of another kind: copy or download it again"
        ) from error
    if is_onnx:
        raise FormatError(f"{path}: expected {wanted}, found an ONNX model; give the file that it was exported from")
    if not unfit:
        return
    other = next((kind for kind in KINDS if kind != name and _is(kind, data)), None)
    if other is not None:
        raise FormatError(f"{path}: expected {wanted}, found {KINDS[other]}")
    if name != "NetParameter" or not numbers.intersection(NET_BLOBS):
        raise FormatError(f"{path}: expected {wanted}, but {', '.join(unfit[:3])} do not fit; give another file")


def _is(name: str, data: bytes) -> bool:
    """Whether the bytes are a message `name` in any dialect."""
    return any(not misfits(getattr(schema, name).DESCRIPTOR, data) for schema in (caffe_pb2, srn_fork_pb2))


class MappedFile(mmap.mmap):
    """A read-only mapping of a file, indexed like `bytes`; the file stays open as long as the mapping.

    Arrays over it (np.frombuffer) keep it alive.
    """

    path: Path
    descriptor: int

    def __new__(cls, path: Path) -> "MappedFile":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            mapped = super().__new__(cls, descriptor, 0, access=mmap.ACCESS_READ)
        except BaseException:
            os.close(descriptor)
            raise
        mapped.path, mapped.descriptor = path, descriptor
        return mapped

    def __del__(self) -> None:
        os.close(self.descriptor)

    def offset_of(self, array: np.ndarray[Any, Any]) -> int:
        """Returns the position in the file of the first byte of an array over this mapping."""
        return array.ctypes.data - np.frombuffer(self, np.uint8, 1).ctypes.data

    def read_parts(self, parts: Iterable[Part]) -> None:
        """Fills arrays from the file with few system calls; reading the mapping would cost a page fault per page.

        FormatError if the file was shortened after it was mapped; a read through the mapping would end the process.
        """
        for start, buffers in _runs(sorted((part for part in parts if part[1].size), key=lambda part: part[0])):
            self._fill(start, buffers)

    def _fill(self, start: int, buffers: list[memoryview]) -> None:
        while buffers:
            count = os.preadv(self.descriptor, buffers, start)
            if not count:
                raise FormatError(f"{self.path}: ends at byte {start} now: the file was changed while it was read")
            start, buffers = start + count, _without(buffers, count)


def mapping_of(array: np.ndarray[Any, Any]) -> MappedFile | None:
    """The mapped file that holds the numbers of a contiguous array; None for an array with memory of its own."""
    base: Any = array if array.flags.c_contiguous else None
    while isinstance(base, np.ndarray):
        base = base.base
    owner = base.obj if isinstance(base, memoryview) else base
    return owner if isinstance(owner, MappedFile) else None


def _runs(parts: Sequence[Part]) -> Iterator[tuple[int, list[memoryview]]]:
    """Groups parts for single calls; yields the start of each call and its buffers, with fillers for small gaps."""
    buffers: list[memoryview] = []
    start = end = 0
    for offset, array in parts:
        gap = offset - end
        if buffers and not (0 <= gap <= SMALL_GAP and len(buffers) + 2 <= MOST_BUFFERS):
            yield start, buffers
            buffers = []
        if not buffers:
            start = offset
        elif gap:
            buffers.append(memoryview(bytearray(gap)))
        buffers.append(array.reshape(-1).view(np.uint8).data)
        end = offset + array.nbytes
    if buffers:
        yield start, buffers


def _without(buffers: list[memoryview], count: int) -> list[memoryview]:
    """Returns the buffers without their first `count` bytes: a read may fill fewer bytes than requested."""
    for index, buffer in enumerate(buffers):
        if count < buffer.nbytes:
            return [buffer[count:], *buffers[index + 1 :]]
        count -= buffer.nbytes
    return []


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path in the folder of `path`; renames it to `path` after the block, or deletes it on errors.

    For a device such as /dev/null, or a pipe with a reader, yields `path` itself, because no file may replace it.
    An OSError about the temporary path is raised as an OSError about `path`, which the user knows.
    """
    path = Path(path)
    stream = _open_stream(path)
    if stream is not None:
        try:
            yield path
        finally:
            os.close(stream)
        return
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"no such folder for '{path.name}'; make it first", str(path.parent))
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.unlink(missing_ok=True)
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))  # follows no link
        yield beside
        _flush(beside)
        os.replace(beside, path)
    except OSError as error:
        is_of_a_write = error.filename is None and error.errno in REFUSED_WRITES  # which name no file
        if not is_of_a_write and str(error.filename) != str(beside):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        beside.unlink(missing_ok=True)
    _flush(path.parent)


def _open_stream(path: Path) -> int | None:
    """Opens a pipe or a character device; None for files, folders and paths that do not exist.

    OSError for a pipe without a reader, because a writer would wait for ever, for a socket, and for a disk.
    """
    try:
        mode = path.stat().st_mode
    except ValueError as error:  # a zero byte in the name
        raise OSError(errno.EINVAL, f"no file has such a name ({error})", str(path)) from error
    except OSError:
        return None
    if stat.S_ISBLK(mode):
        raise OSError(errno.EINVAL, "expected a file to write, found a disk", str(path))
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISCHR(mode)):
        return None
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        reason = "expected a file to write, found a socket, or a pipe from which nobody reads"
        raise OSError(error.errno, reason if error.errno == errno.ENXIO else error.strerror, str(path)) from error


def _flush(path: Path) -> None:
    """Waits until a file, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: str | Path, chunks: Iterable[Chunk]) -> None:
    """Writes a file from pieces, completely or not at all."""
    with replacing(path) as beside, open(beside, "wb") as file:
        for chunk in chunks:
            file.write(chunk)
