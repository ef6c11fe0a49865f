import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import lmdb
import pytest

from caffe_compat.data.sources.datums import parse_datum
from caffe_compat.errors import DataError
from caffe_compat.srn.datasets import prepare as prepare_module
from caffe_compat.srn.datasets import split_writer
from caffe_compat.srn.datasets.block_database import BlockDatabase
from caffe_compat.srn.datasets.coco import coco
from caffe_compat.srn.datasets.outcomes import PictureRules
from caffe_compat.srn.datasets.own.data import OwnSplit, own_data
from caffe_compat.srn.datasets.prepare import prepare, write_manifest
from caffe_compat.srn.datasets.progress import WrittenSoFar
from caffe_compat.srn.datasets.split_writer import SplitWriter
from caffe_compat.srn.datasets.summary import terminal_lines
from caffe_compat.srn.datasets.wider_attribute import wider_attribute
from tests.srn.datasets.synthetic_coco import write_coco
from tests.srn.datasets.synthetic_images import write_image
from tests.srn.datasets.synthetic_wider_attribute import write_wider_attribute

RULES = PictureRules(size=24, folder=True)
CHILD = """
import sys
from pathlib import Path
from caffe_compat.srn.datasets import split_writer
from caffe_compat.srn.datasets.outcomes import PictureRules
from caffe_compat.srn.datasets.own.data import OwnSplit, own_data
from caffe_compat.srn.datasets.prepare import prepare
if __name__ == "__main__":
    split_writer.BLOCK_SAMPLES = 5
    raw, out = map(Path, sys.argv[1:])
    prepare(own_data({"train": OwnSplit(raw)}), out, PictureRules(size=200, folder=True), 2)
"""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(split_writer, "BLOCK_SAMPLES", 3)


def contents(folder):
    """Every file that counts, by its path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "lock.mdb")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def records(path):
    with lmdb.open(str(path), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return [(bytes(key).decode(), parse_datum(value, "record")) for key, value in transaction.cursor()]


def test_all_files_of_the_layout(tmp_path):
    prepare(coco(*write_coco(tmp_path / "raw")), tmp_path / "coco", PictureRules(size=24), 1)
    assert sorted(contents(tmp_path / "coco")) == [
        "classes.txt", "manifest.sha256", "settings.json", "summary.json", "summary.png",
        "test_image_lmdb/data.mdb", "test_imglist.txt", "test_label_lmdb/data.mdb", "test_labels.txt",
        "test_report.tsv", "test_unlabelled.txt",
        "train_image_lmdb/data.mdb", "train_imglist.txt", "train_label_lmdb/data.mdb", "train_labels.txt",
        "train_report.tsv", "train_unlabelled.txt",
    ]  # fmt: skip
    images, labels = (records(tmp_path / "coco" / f"train_{kind}_lmdb") for kind in ("image", "label"))
    assert [key for key, _ in images] == [key for key, _ in labels]
    assert images[3][0] == "00000003_train2014/COCO_train2014_000000000030.jpg"
    assert [datum.label for _, datum in images] == [datum.label for _, datum in labels] == [1, 1, 1, 3, 2, 2, 3, 0]
    subprocess.run(["sha256sum", "--check", "--quiet", "manifest.sha256"], cwd=tmp_path / "coco", check=True)


def test_several_processes_give_the_same_bytes(tmp_path):
    source = wider_attribute(*write_wider_attribute(tmp_path / "raw"))
    for processes in (1, 2):
        prepare(source, tmp_path / str(processes), RULES, processes)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


class KilledError(Exception):
    """Stands for a run that ends here."""


def dying(function, at, after):
    """A function that ends the run at one of its calls, before or after its work."""
    calls = iter(range(1, 1000))

    def call(*arguments):
        last = next(calls) == at
        if last and not after:
            raise KilledError
        result = function(*arguments)
        if last:
            raise KilledError
        return result

    return call


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("owner", "name", "at"),
    [
        (BlockDatabase, "put_block", 3),
        (BlockDatabase, "put_block", 4),
        (SplitWriter, "_append", 7),
        (SplitWriter, "_append", 8),
        (WrittenSoFar, "save", 2),
        (WrittenSoFar, "save", 6),
        (prepare_module, "write_summary", 1),
        (prepare_module, "write_manifest", 1),
    ],
)
def test_a_run_that_ends_anywhere_goes_on_to_the_same_bytes(tmp_path, monkeypatch, owner, name, at, after):
    monkeypatch.setattr(prepare_module, "write_summary_picture", lambda summary, folder: None)  # takes longest
    source = coco(*write_coco(tmp_path / "raw"))
    prepare(source, tmp_path / "whole", RULES, 1)
    whole_function = getattr(owner, name)
    monkeypatch.setattr(owner, name, dying(whole_function, at, after))
    with pytest.raises(KilledError):
        prepare(source, tmp_path / "stopped", RULES, 1)
    assert not (tmp_path / "stopped").exists()

    monkeypatch.setattr(owner, name, whole_function)
    prepare(source, tmp_path / "stopped", RULES, 1)

    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")
    assert not (tmp_path / "stopped.part").exists()


@pytest.mark.slow
def test_a_run_killed_by_a_signal_goes_on_to_the_same_bytes(tmp_path):
    for number in range(90):
        write_image(tmp_path / "raw" / "ab"[number % 2] / f"{number}.jpg", number, height=300, width=400)
    (tmp_path / "child.py").write_text(CHILD)
    command = [sys.executable, tmp_path / "child.py", tmp_path / "raw"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    subprocess.run([*command, tmp_path / "whole"], check=True, env=environment)
    progress = tmp_path / "stopped.part" / ".progress" / "train.json"
    for samples in (20, 60):
        running = subprocess.Popen([*command, tmp_path / "stopped"], env=environment)
        while running.poll() is None and WrittenSoFar.load(progress).samples < samples:
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert not (tmp_path / "stopped").exists()
    subprocess.run([*command, tmp_path / "stopped"], check=True, env=environment)
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


def test_what_is_done_is_not_done_again(tmp_path):
    source = coco(*write_coco(tmp_path / "raw"))
    prepare(source, tmp_path / "out", RULES, 1)
    before = (tmp_path / "out").stat().st_mtime_ns
    prepare(source, tmp_path / "out", RULES, 1)
    assert (tmp_path / "out").stat().st_mtime_ns == before


def test_other_settings_are_refused(tmp_path):
    source = coco(*write_coco(tmp_path / "raw"))
    prepare(source, tmp_path / "out", RULES, 1)
    with pytest.raises(DataError, match=r"^.*out: was made with size 24, asked for is 25; remove it or name another"):
        prepare(source, tmp_path / "out", PictureRules(size=25, folder=True), 1)


def test_a_foreign_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match=rf"^{tmp_path}: exists already; remove it or name another place"):
        prepare(coco(*write_coco(tmp_path / "raw")), tmp_path, RULES, 1)


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"^.*file/out.part: cannot write here: .*Not a directory"):
        prepare(coco(*write_coco(tmp_path / "raw")), tmp_path / "file" / "out", RULES, 1)


def test_two_runs_at_once_are_refused(tmp_path, monkeypatch):
    write_image(tmp_path / "raw" / "cat" / "a.png", 1)
    source = own_data({"train": OwnSplit(tmp_path / "raw")})

    def meanwhile(folder):
        with pytest.raises(DataError, match=r"^.*out.part: another run is preparing this dataset; wait for it"):
            prepare(source, tmp_path / "out", RULES, 1)

    monkeypatch.setattr(prepare_module, "write_manifest", meanwhile)
    prepare(source, tmp_path / "out", RULES, 1)
    assert (tmp_path / "out").exists()


def test_names_that_are_no_text(tmp_path):
    """JSON can hold half of a surrogate pair, a NUL, and names that lead outside of the folder."""
    write_image(tmp_path / "a.jpg", 1)
    names = ["a.jpg", "b\\ud800.jpg", "b\\ud800.jpg", "c\\u0000.jpg", "../a.jpg", "/etc/hostname"]
    lines = [f'{{"image": "{name}", "labels": ["cat"]}}\n' for name in names]
    (tmp_path / "train.jsonl").write_text("".join(lines))
    prepare(own_data({"train": OwnSplit(tmp_path / "train.jsonl")}), tmp_path / "out", PictureRules(size=24), 1)
    assert (tmp_path / "out" / "train_imglist.txt").read_text() == "a.jpg 1\n"
    report = (tmp_path / "out" / "train_report.tsv").read_text()
    assert [line.split("\t")[2].split(":")[0] for line in report.splitlines()] == ["bad name"] * 4
    assert "\n".join(terminal_lines(tmp_path / "out")).encode()


def test_a_label_that_is_no_text(tmp_path):
    write_image(tmp_path / "a.jpg", 1)
    (tmp_path / "train.jsonl").write_text('{"image": "a.jpg", "labels": ["\\ud800"]}\n')
    with pytest.raises(
        DataError, match=r"^.*train.jsonl: expected label names of one line of text each, found '\\ud800'"
    ):
        own_data({"train": OwnSplit(tmp_path / "train.jsonl")})


def test_sha256sum_agrees(tmp_path):
    (tmp_path / "train_lmdb").mkdir()
    for name in ("b.txt", "a b.txt", "train_lmdb/data.mdb", "train_lmdb/lock.mdb", ".hidden"):
        (tmp_path / name).write_text(name)
    path = write_manifest(tmp_path)
    names = ["a b.txt", "b.txt", "train_lmdb/data.mdb"]
    assert path.read_text() == "".join(f"{hashlib.sha256(n.encode()).hexdigest()}  {n}\n" for n in names)
    subprocess.run(["sha256sum", "--check", "--quiet", path.name], cwd=tmp_path, check=True)

    assert write_manifest(tmp_path).read_text().count("\n") == 3  # it does not list itself
