"""Data: databases."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from caffe_compat.data.sources.datums import array_to_datum, encoded_datum
from caffe_compat.errors import DataError, FieldError, MissingFeatureError
from tests.data.made_files import picture, raw_lmdb, write_lmdb
from tests.layers.data.made_layers import assert_resumes, labels, make_layer, take

PICTURES = [picture(8, 9, seed=number) for number in range(7)]


@pytest.fixture
def lmdb(tmp_path: Path) -> str:
    return str(raw_lmdb(tmp_path / "db", PICTURES))


def text(path: str, batch_size: int = 3, data: str = "", transform: str = "") -> str:
    return (
        f"type: 'Data' data_param {{ source: '{path}' batch_size: {batch_size} backend: LMDB {data} }}"
        f" transform_param {{ {transform} }}"
    )


def test_reads_in_key_order(lmdb: str) -> None:
    layer = make_layer(text(lmdb, 3, transform="scale: 2"))
    assert layer.top_shapes() == [(3, 3, 8, 9), (3,)]
    tops = take(layer, 3)
    for number in range(9):
        data, label = tops[number // 3]
        assert np.array_equal(data[number % 3], PICTURES[number % 7].transpose(2, 0, 1) * np.float32(2))
        assert label[number % 3] == 10 + number % 7


def test_shuffle_rand_skip_and_prefetch(lmdb: str) -> None:
    shuffled = labels(make_layer(text(lmdb, 7, "shuffle: true")), 2)
    assert sorted(shuffled) == sorted([*range(10, 17)] * 2)
    assert shuffled[:7] != shuffled[7:]
    assert labels(make_layer(text(lmdb, 7, "shuffle: true prefetch: 1")), 2) == shuffled
    assert labels(make_layer(text(lmdb, 7, "shuffle: true"), seed=6), 2) != shuffled
    first = {labels(make_layer(text(lmdb, 1, "rand_skip: 4"), seed=seed), 1)[0] for seed in range(20)}
    assert first == {10, 11, 12, 13}


@pytest.mark.parametrize("ahead", [0, 1025, 2**32 - 1])
def test_reading_no_batch_or_very_many_ahead_is_refused(lmdb: str, ahead: int) -> None:
    with pytest.raises(FieldError, match=rf"\(Data\): expected prefetch from 1 to 1024 batches, got {ahead}$"):
        make_layer(text(lmdb, 2, f"prefetch: {ahead}"))


def test_processes_share_out_train_but_not_test(lmdb: str) -> None:
    train = [labels(make_layer(text(lmdb, 2), "TRAIN", rank=rank, world_size=3), 1) for rank in range(3)]
    assert train == [[10, 13], [11, 14], [12, 15]]
    assert labels(make_layer(text(lmdb, 2), "TEST", rank=2, world_size=3), 1) == [10, 11]


def test_image_and_label_databases_stay_in_step(tmp_path: Path, lmdb: str) -> None:
    rows = np.eye(7, dtype=np.float32)
    other = str(write_lmdb(tmp_path / "labels", [array_to_datum(row.reshape(7, 1, 1), 1) for row in rows]))
    for rank in range(2):
        images = make_layer("name: 'image'" + text(lmdb, 4, "shuffle: true", "mirror: true"), rank=rank, world_size=2)
        tags = make_layer("name: 'tags'" + text(other, 4, "shuffle: true"), tops=1, rank=rank, world_size=2)
        assert tags.top_shapes() == [(4, 7, 1, 1)]
        for _ in range(6):
            found = tags()[0].argmax(dim=1).ravel() + 10
            assert np.array_equal(images()[1].numpy(), found.numpy())


def test_resumes(lmdb: str) -> None:
    made = text(lmdb, 4, "shuffle: true", "crop_size: 5 mirror: true mean_value: 7")
    assert_resumes(make_layer(made), make_layer(made, seed=77))


def test_float_records_are_transformed_too(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(2, 6, 5)).astype(np.float32)
    path = write_lmdb(tmp_path / "db", [array_to_datum(array)])
    layer = make_layer(text(str(path), 1, transform="crop_size: 3 mean_value: 0.25 scale: 4"), "TEST")
    expected = (array[:, 1:4, 1:4] - np.float32(0.25)) * 4
    assert np.array_equal(layer()[0].numpy()[0], expected)


def test_old_and_new_fields_force_colours(tmp_path: Path) -> None:
    encoded = cv2.imencode(".png", picture(4, 5, 1))[1].tobytes()
    path = str(write_lmdb(tmp_path / "db", [encoded_datum(encoded)]))
    for data, transform, channels in (
        ("", "", 1),
        ("force_encoded_color: true", "", 3),
        ("", "force_color: true", 3),
        ("", "force_gray: true", 1),
    ):
        assert make_layer(text(path, 1, data, transform)).top_shapes()[0] == (1, channels, 4, 5)


def test_sharded_source(tmp_path: Path) -> None:
    for shard in range(3):
        raw_lmdb(tmp_path / f"train_{shard}_lmdb", PICTURES[: shard + 1])
    layer = make_layer(text(f"{tmp_path}/train_*_lmdb", 6))
    assert labels(layer, 1) == [10, 10, 11, 10, 11, 12]


def test_missing_and_small_images_are_named(tmp_path: Path, lmdb: str) -> None:
    with pytest.raises(DataError, match=r"^layer 'data' \(Data\): cannot open LMDB '.*none': no data.mdb there"):
        make_layer(text(f"{tmp_path}/none"))
    with pytest.raises(DataError, match=r"^layer 'data' \(Data\): crop_size 9 is larger than the image \(8 x 9\)"):
        make_layer(text(lmdb, transform="crop_size: 9"))
    with pytest.raises(DataError, match=r"^layer 'data' \(Data\): '.*' is an LMDB; set data_param.backend: LMDB"):
        make_layer(f"type: 'Data' data_param {{ source: '{lmdb}' batch_size: 2 }}")


def test_leveldb_needs_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "plyvel", None)
    with pytest.raises(MissingFeatureError, match=r"^layer 'data' \(Data\): reading LevelDB"):
        make_layer(f"type: 'Data' data_param {{ source: '{tmp_path}' batch_size: 2 backend: LEVELDB }}")


def test_old_fields_are_refused(lmdb: str) -> None:
    with pytest.raises(
        FieldError, match=r"^layer 'data' \(Data\): data_param.mirror is set but Data does not honour it"
    ):
        make_layer(text(lmdb, 3, "mirror: true"))


@pytest.mark.parametrize("encoded", [False, True])
def test_original_image_is_for_encoded_images(encoded: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The fork's Transform(Datum) knows nothing of it; Transform(cv::Mat) takes the middle 7/8, resized."""
    image = picture(21, 16, seed=3)
    raw = raw_lmdb(tmp_path / "raw", [image])
    png = write_lmdb(tmp_path / "png", [encoded_datum(cv2.imencode(".png", image)[1].tobytes(), 1)])
    path = png if encoded else raw
    (data, _) = take(make_layer(text(str(path), 1, transform="crop_size: 7 original_image: true"), "TEST"), 1)[0]
    part = cv2.resize(image[1:15, 1:15], (7, 7), interpolation=cv2.INTER_CUBIC) if encoded else image[7:14, 4:11]
    assert np.array_equal(data[0], part.transpose(2, 0, 1))
    told = "layer 'data' (Data): original_image only for encoded images; raw ones are cropped as without it"
    assert (told in caplog.messages) != encoded
