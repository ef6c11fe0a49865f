import pytest

from tests.prototxt_gen.generated import Options, training_net


def data_layers(**options):
    net = training_net(model="resnet101", labels=5, depth=26, width=8, **options)
    return [layer for layer in net.layer if layer.type == "Data"]


def test_each_phase_reads_images_and_labels():
    found = [(m.name, m.include[0].phase, m.data_param.source, m.data_param.batch_size, m.data_param.backend)
             for m in data_layers(data="here/own", batch_size=12, test_split="val")]  # fmt: skip
    assert found == [
        ("data", 0, "here/own/train_image_lmdb", 12, 1),
        ("label", 0, "here/own/train_label_lmdb", 12, 1),
        ("data", 1, "here/own/val_image_lmdb", 12, 1),
        ("label", 1, "here/own/val_label_lmdb", 12, 1),
    ]


def test_images_lose_the_mean_and_labels_stay():
    images, labels, *_ = data_layers()
    assert list(images.transform_param.mean_value) == [104, 117, 123]
    assert not labels.HasField("transform_param")


PAPER_FIELDS = {"fix_crop", "multi_scale", "scale_ratios", "max_distort"}


@pytest.mark.parametrize(
    ("options", "train", "test"),
    [
        ({"norm": "batchnorm"}, {"mirror", "crop_size"}, set()),
        ({"norm": "bn"}, {"mirror", "crop_size", *PAPER_FIELDS}, set()),
        ({"norm": "batchnorm", "augmentation": "paper"}, {"mirror", "crop_size", *PAPER_FIELDS}, set()),
        ({"norm": "bn", "augmentation": "crop", "mirror": False}, {"crop_size"}, set()),
        ({"test_view": "crop"}, {"mirror", "crop_size"}, {"crop_size"}),
        ({"augmentation": "none"}, {"mirror"}, set()),
    ],
)
def test_augmentation(options, train, test):
    layers = data_layers(input_size=192, **options)
    fields = [{f.name for f, _ in layers[i].transform_param.ListFields()} - {"mean_value"} for i in (0, 2)]
    assert fields == [train, test]
    if "crop_size" in train:
        assert layers[0].transform_param.crop_size == 192


def test_crop_sides_are_the_papers():
    ratios = data_layers(augmentation="paper")[0].transform_param.scale_ratios
    assert [int(256 * ratio) for ratio in ratios] == [256, 224, 192, 168, 128]


@pytest.mark.parametrize(("augmentation", "train_size"), [("crop", 110), ("none", 96)])  # 96 x 8 / 7
def test_images_of_a_folder_are_resized_whole(augmentation, train_size):
    options: Options = {"labels": 5, "depth": 26, "width": 8, "input_size": 96, "augmentation": augmentation}
    net = training_net(model="resnet101", source="folder", data="own", **options)
    train, test = (layer for layer in net.layer if layer.type == "ImageData")
    for layer, split, size in ((train, "train", train_size), (test, "test", 96)):
        params = layer.image_data_param
        assert (params.source, params.root_folder) == (f"own/{split}_imglist.txt", "own/images/")
        assert (params.new_height, params.new_width, params.shuffle) == (size, size, False)
    assert [layer.name for layer in net.layer if "tags" in layer.bottom] == ["silence"]
    assert not test.transform_param.HasField("crop_size")
    assert [layer.data_param.source for layer in net.layer if layer.type == "Data"] == [
        "own/train_label_lmdb", "own/test_label_lmdb",
    ]  # fmt: skip
