import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.srn.datasets import split_writer
from caffe_compat.srn.datasets.layout import SplitFiles
from caffe_compat.srn.datasets.outcomes import Outcome, PictureRules
from caffe_compat.srn.datasets.samples import Finding, Sample, Samples, label_row
from caffe_compat.srn.datasets.split_writer import SplitWriter, blocks
from tests.srn.datasets.synthetic_images import odd_images

RULES = PictureRules(size=16)


@pytest.fixture
def source(tmp_path):
    """Images of all kinds, of which each third has no label."""
    (tmp_path / "raw").mkdir()
    for name, encoded in odd_images().items():
        (tmp_path / "raw" / name).write_bytes(encoded)

    def sample(place_and_name):
        place, name = place_and_name
        return Sample(name, str(tmp_path / "raw" / name), label_row(3, [place % 2] if place % 3 else []))

    return Samples(list(enumerate(odd_images())), sample)


def writer(tmp_path, split="val"):
    (tmp_path / "out").mkdir(exist_ok=True)
    return SplitWriter(SplitFiles(tmp_path / "out", split), RULES, tmp_path / "progress.json")


def test_every_image_is_in_the_list_or_in_the_report(tmp_path, source):
    written = writer(tmp_path)
    written.write(source, 1)
    out = tmp_path / "out"
    assert (out / "val_imglist.txt").read_text().splitlines() == [
        "grey.jpg 0", "alpha.png 1", "sixteen.png 1", "cmyk.jpg 0", "rotated.jpg 1", "damaged.jpg 1",
    ]  # fmt: skip
    assert (out / "val_labels.txt").read_text().splitlines() == ["0 0 0", "0 1 0", "1 0 0", "0 0 0", "1 0 0", "0 1 0"]
    assert (out / "val_unlabelled.txt").read_text() == "grey.jpg\ncmyk.jpg\n"
    report = [line.split("\t") for line in (out / "val_report.tsv").read_text().splitlines()]
    assert [line[:2] for line in report] == [
        *(["changed", name] for name in ("grey.jpg", "alpha.png", "sixteen.png", "cmyk.jpg", "rotated.jpg")),
        ["changed", "damaged.jpg"],
        *(["left out", name] for name in ("truncated.jpg", "corrupt.png", "empty.jpg", "text.jpg")),
    ]
    assert report[3][2] == "CMYK: converted to blue, green, red"
    assert written.progress.left_out == {"truncated": 1, "corrupt": 2, "empty": 1}
    assert (written.progress.kept, written.progress.complete) == (6, True)


def test_a_split_of_unusable_images_is_an_error(tmp_path, source):
    broken = Samples([8, 9], lambda place: list(source)[place])
    with pytest.raises(
        DataError, match=r"^.*train_report.tsv: no image of split 'train' can be used \(1 .*\); the first is '.*'"
    ):
        writer(tmp_path, "train").write(broken, 1)


def test_other_data_are_noticed(tmp_path, source, monkeypatch):
    monkeypatch.setattr(split_writer, "BLOCK_SAMPLES", 3)
    first = writer(tmp_path)
    first.write(Samples(range(6), lambda place: list(source)[place]), 1)
    with pytest.raises(
        DataError, match=r"^.*out: expected the samples of the run that began it, found others in the f"
    ):
        writer(tmp_path).write(Samples(range(1, 7), lambda place: list(source)[place]), 1)


def test_blocks_end_by_number_or_by_bytes(monkeypatch):
    monkeypatch.setattr(split_writer, "BLOCK_SAMPLES", 4)
    monkeypatch.setattr(split_writer, "BLOCK_BYTES", 100)
    sample = Sample("a", "b", np.zeros(1, np.int8))
    sizes = [1, 1, 1, 1, 60, 60, 5, 100, 1]
    done = [(sample, Outcome((), image=bytes(size))) for size in sizes]
    assert [[len(outcome.image) for _, outcome in block] for block in blocks(done)] == [
        [1, 1, 1, 1], [60, 60], [5, 100], [1],
    ]  # fmt: skip


def test_report_lines_stay_one_line(tmp_path, source):
    sample = next(iter(source))._replace(name="a\tb\nc.jpg", left_out=Finding("untagged", "x\ny"))
    with pytest.raises(DataError):
        writer(tmp_path).write(Samples([sample], lambda entry: entry), 1)
    assert (tmp_path / "out" / "val_report.tsv").read_text() == "left out\ta b c.jpg\tuntagged: x y\n"
