import numpy as np

from caffe_compat.srn.datasets.samples import Finding, PictureBox, Sample, Samples, label_row


def test_findings_are_told_with_their_details():
    assert str(Finding("missing", "no file a.jpg")) == "missing: no file a.jpg"
    assert str(Finding("grey")) == "grey"


def test_label_rows():
    np.testing.assert_array_equal(label_row(5, [3, 0]), [1, 0, 0, 1, 0])
    assert label_row(5, []).dtype == np.int8


def test_samples_can_be_gone_through_again():
    samples = Samples([3, 1], lambda entry: Sample(str(entry), "path", label_row(2, [])))
    assert len(samples) == 2
    assert [sample.name for sample in samples] == [sample.name for sample in samples] == ["3", "1"]


def test_fingerprints_differ_by_every_field():
    sample = Sample("a", "b", label_row(3, [1]))
    others = [
        sample._replace(name="c\ud800"),
        sample._replace(path="c"),
        sample._replace(labels=label_row(3, [2])),
        sample._replace(box=PictureBox(1, 2, 3, 4)),
        sample._replace(left_out=Finding("untagged")),
    ]
    assert len({sample.fingerprint(), *(other.fingerprint() for other in others)}) == 6
