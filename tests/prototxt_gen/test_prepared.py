"""The generator takes numbers from the data, and refuses those that contradict them."""

import json

import pytest

from caffe_compat.errors import FieldError, FormatError
from prototxt_gen import DATASETS, GeneratorOptions, generate
from prototxt_gen.completion import complete
from prototxt_gen.prepared import Prepared, read_prepared
from tests.prototxt_gen.generated import net_of, solver_of

SPLITS = {"train": {"images": 480, "side": 256}, "test": {"images": 70, "side": 224}}
SUMMARY = {"labels": 5, "stored": ["lmdb", "folder"], "unknown labels": False, "splits": SPLITS}


@pytest.fixture
def write(tmp_path):
    """Writes a summary with changes; returns the folder."""

    def write_summary(**changes):
        (tmp_path / "summary.json").write_text(json.dumps(SUMMARY | changes))
        return str(tmp_path)

    return write_summary


def with_val(**val):
    return {"splits": {**SPLITS, "val": {"images": 30, "side": 224} | val}}


def test_what_a_summary_says(write):
    assert read_prepared(write()) == Prepared(
        5, {"train": 480, "test": 70}, {"train": 256, "test": 224}, ("lmdb", "folder"), False
    )


def test_options_follow_the_data(write):
    full = complete(GeneratorOptions(data=write(), batch_size=24))
    assert (full.labels, full.train_images, full.test_images, full.test_split) == (5, 480, 70, "test")
    assert (full.source, full.unknown_labels, full.dataset) == ("lmdb", False, "custom")
    full = complete(GeneratorOptions(data=write(**with_val(), stored=["folder"], **{"unknown labels": True})))
    assert (full.test_images, full.test_split, full.source, full.unknown_labels) == (30, "val", "folder", True)
    assert complete(GeneratorOptions(data=write(**with_val()), test_split="test")).test_images == 70


def test_solver_and_net_follow_the_data(write):
    files = generate(data=write(**with_val()), lr_policy="plateau", batch_size=24, depth=26, width=4)
    solver = solver_of(files)
    assert (solver.test_interval, list(solver.test_iter)) == (5, [2])  # 480 / 96, and 30 / 24 rounded up
    sources = [layer.data_param.source for layer in net_of(files, "step_1_resnet101_trainval.prototxt").layer[:4]]
    assert [source.rpartition("/")[2] for source in sources] == [
        "train_image_lmdb", "train_label_lmdb", "val_image_lmdb", "val_label_lmdb",
    ]  # fmt: skip


def test_a_few_images_make_a_smaller_batch(write):
    data = write(splits={"train": {"images": 45, "side": 256}, "test": {"images": 7, "side": 224}})
    full = complete(GeneratorOptions(data=data, batch_size=8))
    assert full.batch_size * full.iter_size == 32  # the largest divisor of 96 that 45 images fill


def test_a_dataset_of_the_paper(write):
    known = DATASETS["coco"]
    full = complete(GeneratorOptions(dataset="coco", data=write(labels=known.labels)))
    assert (full.labels, full.train_images, full.dataset) == (80, 480, "coco")
    with pytest.raises(
        FieldError, match=r"^options: --dataset coco contradicts --data .*, which has labels 5, not 80;"
    ):
        complete(GeneratorOptions(dataset="coco", data=write()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": 6}, r"^options: --labels 6 contradicts --data .*, which has labels 5, not 6; leave --labels out$"),
        ({"train_images": 9}, r"^options: --train-images 9 contradicts --data .*, which has train images 480, not 9;"),
        ({"test_images": 9}, r"^options: --test-images 9 contradicts --data .*, which has test images 70, not 9;"),
        ({"test_split": "val"}, r"^options: --data .* has no split 'val', found train, test; prepare it with --"),
        ({"lr_policy": "plateau"}, r"^options: --data .* has no split 'val', found train, test; prepare it with --"),
        ({"input_size": 64}, r"^options: --input-size 64 does not suit --data .*: its train split has pictures of 256 "
         r"x 256 pixels, while crops of 64 need pictures of 64 to 85, .*; prepare the data again with --input-size 64, "
         r"or generate with --input-size 224$"),
        ({"input_size": 256}, r"^options: --input-size 256 .*: its test split has pictures of 224 x 224 pixels, whi"),
        ({"augmentation": "none"}, r"^options: .* its train split .* 256 x 256 pixels, while whole images of 224 x 224 "
         r"are needed; prepare the data again with --input-size 224 --resize 224$"),
        ({"test_view": "crop", "input_size": 200}, r"^$"),
    ],
)  # fmt: skip
def test_contradictions(write, options, message):
    if message == "^$":
        assert complete(GeneratorOptions(data=write(), **options)).input_size == 200
        return
    with pytest.raises(FieldError, match=message):
        complete(GeneratorOptions(data=write(), **options))


def test_the_size_that_the_message_offers_suits_all_splits(write):
    splits = {"train": {"images": 480, "side": 96}, "test": {"images": 70, "side": 96}}
    data = write(splits=splits)
    for size in (64, 84):
        with pytest.raises(
            FieldError,
            match=rf"; prepare the data again with --input-size {size}, "
            r"or generate with --input-size 96$",
        ):
            complete(GeneratorOptions(data=data, input_size=size))
    assert complete(GeneratorOptions(data=data, input_size=96)).input_size == 96
    splits["test"]["side"] = 70
    with pytest.raises(FieldError, match=r"; prepare the data again with --input-size 84$"):
        complete(GeneratorOptions(data=write(splits=splits), input_size=84))


def test_pictures_of_different_sizes(write):
    splits = {"train": {"images": 480, "side": 0}, "test": {"images": 70, "side": 0}}
    with pytest.raises(FieldError, match=r"^options: .*: its train split has pictures of different sizes, while crops"):
        complete(GeneratorOptions(data=write(splits=splits)))
    assert complete(GeneratorOptions(data=write(splits=splits), source="folder")).source == "folder"


def test_a_store_that_was_not_written(write):
    with pytest.raises(FieldError, match=r"^options: --source folder contradicts --data .*, which has source lmdb"):
        complete(GeneratorOptions(data=write(stored=["lmdb"]), source="folder"))


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "[" * 100_000, json.dumps(SUMMARY | {"labels": 0}), json.dumps(SUMMARY | {"stored": ["tape"]}),
     json.dumps(SUMMARY | {"splits": {"train": {"images": True, "side": 3}}}), '{"splits": 3}'],
)  # fmt: skip
def test_other_files_of_that_name(tmp_path, text):
    (tmp_path / "summary.json").write_text(text)
    with pytest.raises(FormatError, match=r"^.*summary.json: expected the summary that prepare writes, found "):
        read_prepared(str(tmp_path))


def test_no_summary(tmp_path):
    assert read_prepared(str(tmp_path)) is None
