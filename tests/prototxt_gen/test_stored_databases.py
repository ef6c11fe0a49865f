import lmdb
import numpy as np
import pytest

from caffe_compat.errors import FormatError
from caffe_compat.proto import caffe_pb2
from caffe_compat.srn.datasets.scene_rules import CLASS_NAMES, SceneRules
from caffe_compat.srn.datasets.scenes import write_scenes
from prototxt_gen.prepared import Prepared
from prototxt_gen.stored_databases import read_databases


def put(path, *datums):
    path.mkdir(parents=True)
    with lmdb.open(str(path)) as environment, environment.begin(write=True) as writer:
        for place, datum in enumerate(datums):
            writer.put(b"%08d" % place, datum.SerializeToString())


def picture(height, width):
    return caffe_pb2.Datum(channels=3, height=height, width=width, data=bytes(3 * height * width))


def test_databases_of_encoded_pictures(tmp_path):
    write_scenes(tmp_path / "scenes", {"train": 3, "test": 2}, 1, SceneRules())
    found = read_databases(str(tmp_path / "scenes"))
    assert found is not None
    assert found == Prepared(len(CLASS_NAMES), {"train": 3, "test": 2}, found.sides, ("lmdb",), unknown_labels=False)
    assert found.sides["train"] == found.sides["test"] > 0


def test_databases_of_raw_pictures(tmp_path):
    labels = caffe_pb2.Datum(channels=4, height=1, width=1, float_data=np.zeros(4))
    put(tmp_path / "train_label_lmdb", labels, labels, labels)
    put(tmp_path / "train_image_lmdb", picture(9, 9), picture(2, 2), picture(9, 9))  # the middle is not looked at
    put(tmp_path / "val_label_lmdb", labels)
    put(tmp_path / "val_image_lmdb", picture(9, 7))
    assert read_databases(str(tmp_path)) == Prepared(
        4, {"train": 3, "val": 1}, {"train": 9, "val": 0}, ("lmdb",), unknown_labels=False
    )


def test_no_databases(tmp_path):
    assert read_databases(str(tmp_path)) is None


def test_databases_that_cannot_be_read(tmp_path):
    for kind in ("image", "label"):
        (tmp_path / f"train_{kind}_lmdb").mkdir()
        (tmp_path / f"train_{kind}_lmdb" / "data.mdb").write_bytes(b"no database" * 1000)
    with pytest.raises(FormatError, match=r"^.*train_label_lmdb: cannot read the records that --data names: "):
        read_databases(str(tmp_path))


def test_empty_databases(tmp_path):
    for kind in ("image", "label"):
        put(tmp_path / f"train_{kind}_lmdb")
    with pytest.raises(FormatError, match=r"^.*train_label_lmdb: expected records, found none"):
        read_databases(str(tmp_path))
