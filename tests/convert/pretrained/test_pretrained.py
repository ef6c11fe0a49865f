"""Random ResNets of three projects: every block of our net against the project's own forward pass, written by hand."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

import caffe_compat as caffe
from caffe_compat.convert.conversion import convert
from caffe_compat.convert.formats.caffemodel import read_caffemodel, write_caffemodel
from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.options import Options
from caffe_compat.convert.pretrained.naming import NAMINGS, Naming, Normalization, places_of
from caffe_compat.convert.pretrained.pixels import Pixels
from caffe_compat.convert.pretrained.recognise import DEPTHS
from caffe_compat.data.preprocessing import ImageFlags, Preprocessing
from caffe_compat.errors import FormatError, MissingFeatureError
from tests.convert.models import assert_same_blobs
from tests.convert.pretrained.their_resnets import StateDict, TheirNet, seeded_state_dict

TORCHVISION, HUGGING_FACE, RESNETV2 = NAMINGS
#: Of a blob's largest value: float32 sums in another order.
TOLERANCE = 1e-5
SIZE = 64


def saved(folder: Path, state: Mapping[str, object], name: str = "resnet.pth") -> str:
    torch.save(state, folder / name)
    return str(folder / name)


def pictures(count: int = 2) -> Tensor:
    """RGB from 0 to 255."""
    return torch.randint(0, 256, (count, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(3)).float()


def normalized(rgb: Tensor, by: Normalization) -> Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (by.mean, by.std))
    return (rgb / 255 - mean) / std


def caffe_pixels(rgb: Tensor, mean: tuple[float, float, float]) -> Tensor:
    return rgb.flip(1) - torch.tensor(mean).view(3, 1, 1)


def own_mean(naming: Naming) -> tuple[float, float, float]:
    return Pixels().caffe_mean(naming.normalization)


def assert_every_block_is_equal(path: str, theirs: TheirNet, mean: tuple[float, float, float] | None = None) -> None:
    """Every sum of our net, the last activation and the classifier."""
    naming, rgb = theirs.naming, pictures()
    wanted = theirs.blocks(normalized(rgb, naming.normalization))
    names = {f"{place.stage}.{place.block}": f"res{place.name}" for place in places_of(DEPTHS[theirs.depth])}
    module = caffe.load(path, outputs=[*names.values(), "pool5"])
    with torch.no_grad():
        made = module(caffe_pixels(rgb, mean or own_mean(naming)))
    assert isinstance(made, dict)
    for place, name in names.items():
        assert_close(made[name], wanted[place], name)
    assert_close(made["pool5"].flatten(1), wanted["last"].mean((2, 3)), "pool5")


def assert_close(made: Tensor, wanted: Tensor, name: str, tolerance: float = TOLERANCE) -> None:
    assert made.shape == wanted.shape, name
    assert float((made - wanted).abs().max() / wanted.abs().max()) <= tolerance, name


@pytest.mark.parametrize("naming", NAMINGS, ids=lambda naming: naming.project)
def test_every_block_gives_what_the_project_computes(naming: Naming, tmp_path: Path) -> None:
    state = seeded_state_dict(naming, 26, width=6)
    assert_every_block_is_equal(saved(tmp_path, state), TheirNet(naming, 26, state))


@pytest.mark.slow
@pytest.mark.parametrize("naming", NAMINGS, ids=lambda naming: naming.project)
@pytest.mark.parametrize("depth", [50, 101, 152])
def test_every_block_of_the_deep_ones(naming: Naming, depth: int, tmp_path: Path) -> None:
    state = seeded_state_dict(naming, depth, width=64)
    assert_every_block_is_equal(saved(tmp_path, state), TheirNet(naming, depth, state))


@pytest.mark.parametrize("naming", NAMINGS, ids=lambda naming: naming.project)
def test_the_classifier_comes_along(naming: Naming, tmp_path: Path) -> None:
    state = seeded_state_dict(naming, 26, width=4, classes=5)
    module = caffe.load(saved(tmp_path, state), outputs=["fc1000"])
    wanted = TheirNet(naming, 26, state).scores(normalized(pictures(), naming.normalization))
    with torch.no_grad():
        assert_close(module(caffe_pixels(pictures(), own_mean(naming))), wanted, "fc1000")


def test_files_of_every_kind(tmp_path: Path) -> None:
    """safetensors, a checkpoint with other things beside, prefixes, and PyTorch's old format."""
    state = seeded_state_dict(HUGGING_FACE, 26, width=4)
    with_prefix = {f"resnet.{key}": value for key, value in state.items()} | {"classifier.1.weight": torch.ones(3, 128)}
    save_file(with_prefix, tmp_path / "model.safetensors")
    torch.save({"epoch": 3, "state_dict": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "a.pth")
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    learning = {key: torch.nn.Parameter(value) for key, value in state.items() if value.is_floating_point()}
    torch.save({f"_orig_mod.{key}": value for key, value in learning.items()}, tmp_path / "compiled.pth")
    wanted = read_model(saved(tmp_path, state))
    for name in ("model.safetensors", "a.pth", "old.pth", "compiled.pth"):
        assert_same_blobs(read_model(str(tmp_path / name)), wanted)


def test_half_precision_is_read_as_float32(tmp_path: Path) -> None:
    state = seeded_state_dict(TORCHVISION, 26, width=4)
    halves = {key: value.bfloat16() if value.is_floating_point() else value for key, value in state.items()}
    save_file(halves, tmp_path / "half.safetensors")
    model = read_model(str(tmp_path / "half.safetensors"))
    np.testing.assert_array_equal(model.blobs["res2a_branch2a"][0], halves["layer1.0.conv1.weight"].float().numpy())


def test_another_mean_goes_into_the_normalisation_behind(tmp_path: Path) -> None:
    """Away from the border nothing changes; the report says by how much the border differs."""
    mean = (104.0, 117.0, 123.0)
    state = seeded_state_dict(TORCHVISION, 26, width=6)
    path = saved(tmp_path, state)
    done = convert(path, "caffemodel", options=Options(pixels=Pixels(mean=mean)))
    model = read_model(path, pixels=Pixels(mean=mean))
    write_caffemodel(done.path, model)
    with torch.no_grad():
        made = caffe.load(done.path, outputs=["conv1"])(caffe_pixels(pictures(), mean))
        wanted = caffe.load(path, outputs=["conv1"])(caffe_pixels(pictures(), own_mean(TORCHVISION)))
    assert isinstance(made, Tensor)
    assert isinstance(wanted, Tensor)
    assert_close(made[..., 2:-2, 2:-2], wanted[..., 2:-2, 2:-2], "conv1", tolerance=2e-5)
    border = float((made - wanted).abs().max())
    note = next(note for note in done.report.notes if note.startswith("the mean is not the project's"))
    assert 1e-4 < border <= 1.05 * float(note.rsplit(maxsplit=1)[1])


def test_the_report_says_what_the_net_needs(tmp_path: Path) -> None:
    notes = convert(saved(tmp_path, seeded_state_dict(TORCHVISION, 26, 4)), "caffemodel").report.notes
    assert (
        "ResNet-26 of torchvision or timm, by its names and shapes; generate its net with --backbone resnet --depth 26 "
        "--width 4 --stride-in conv2 --pooling floor"
    ) in notes
    assert (
        "conv1 takes BGR pixels from 0 to 255 less 103.53, 116.28, 123.675: write these three as mean_value of the "
        "data layers"
    ) in notes


def test_slopes_below_zero_of_a_preactivation_stem_are_named(tmp_path: Path) -> None:
    state = seeded_state_dict(RESNETV2, 26, 4)
    state["stages.0.blocks.0.norm1.weight"][1] *= -1
    path = saved(tmp_path, state)
    assert any(note.startswith("1 of 4 slopes of bn_conv1 are below 0: ") for note in read_model(path).notes)
    assert_every_block_is_equal(path, TheirNet(RESNETV2, 26, state))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda s: s.pop("layer2.1.bn3.bias"),
            r"expected a tensor 'layer2\.1\.bn3\.bias' \[32\] in a ResNet-26 of torch",
        ),
        (
            lambda s: [s.pop(key) for key in list(s) if "conv3" in key or "bn3" in key],
            r"expected a tensor 'layer1\.0\.conv3\.weight' .*, found none; .*, or of another variant \(18, 34\)",
        ),
        (
            lambda s: s.update({"layer1.0.conv2.weight": torch.ones(4, 2, 3, 3)}),
            r"expected tensor 'layer1\.0\.conv2\.weight' of shape \[4, 4, 3, 3\] .*, found \[4, 2, 3, 3\]; other",
        ),
        (
            lambda s: s.update({"layer1.0.se.fc1.weight": torch.ones(2)}),
            r"expected .* alone, found 'layer1\.0\.se\.fc1",
        ),
        (
            lambda s: s.update({"layer4.2.conv1.weight": torch.ones(2)}),
            r"expected the blocks of a ResNet-26, 50, 101 or 152, found \[2, 2, 2, 3\] in its four stages",
        ),
    ],
)
def test_other_variants_are_refused(change: Callable[[StateDict], object], message: str, tmp_path: Path) -> None:
    state = seeded_state_dict(TORCHVISION, 26, 4)
    change(state)
    with pytest.raises(FormatError, match=rf"resnet\.pth: {message}"):
        read_model(saved(tmp_path, state))


def test_other_nets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"x\.pth: expected x\.pth\.json beside it, .* Without it only ResNets of"):
        read_model(saved(tmp_path, {"features.0.weight": torch.ones(2)}, "x.pth"))
    save_file({"features.0.weight": torch.ones(2)}, tmp_path / "x.safetensors")
    with pytest.raises(FormatError, match=r"x\.safetensors: expected a description of the net in the metadata, or the"):
        read_model(str(tmp_path / "x.safetensors"))


def test_what_is_no_tensor_is_named(tmp_path: Path) -> None:
    state = seeded_state_dict(TORCHVISION, 26, 4)
    with pytest.raises(FormatError, match=r"resnet\.pth: expected a tensor 'note', found str; save a state dict alone"):
        read_model(saved(tmp_path, state | {"note": "hello"}))


def test_a_tensor_that_claims_more_than_the_file_holds(tmp_path: Path) -> None:
    state = seeded_state_dict(TORCHVISION, 26, 4)
    state["layer1.0.bn1.bias"] = torch.zeros(1).expand(1 << 40)
    with pytest.raises(FormatError, match=r"expected all numbers of tensor 'layer1\.0\.bn1\.bias' in the file, found"):
        read_model(saved(tmp_path, state))


@pytest.mark.parametrize("images", [ImageFlags(channels="rgb"), ImageFlags(scale=0.017), ImageFlags(mean=(7.0,))])
def test_weights_for_certain_images_are_given_no_others(images: ImageFlags, tmp_path: Path) -> None:
    path = saved(tmp_path, seeded_state_dict(TORCHVISION, 26, 4))
    message = (
        rf"^{path}: its weights are converted for BGR pixels from 0 to 255 minus 103\.53, 116\.28, 123\.675; .* leave"
    )
    with pytest.raises(MissingFeatureError, match=message):
        convert(path, "caffemodel", options=Options(images=images))
    with pytest.raises(MissingFeatureError, match=message):
        caffe.load(path, preprocessing=images.over(None))
    mean = (104.0, 117.0, 123.0)
    same = Options(images=ImageFlags(mean=mean, size=(96, 64)), pixels=Pixels(mean=mean))

    assert caffe.load(convert(path, "caffemodel", options=same).path).preprocessing == Preprocessing("bgr", mean)


@pytest.mark.parametrize("norm", ["batchnorm", "bn"])
@pytest.mark.parametrize("mean", [None, (104.0, 117.0, 123.0)])
def test_out_again(norm: str, mean: tuple[float, float, float] | None, tmp_path: Path) -> None:
    """Into Caffe's layers of either Caffe and back: the same tensors, to the rounding of the first convolution."""
    state = seeded_state_dict(TORCHVISION, 26, 4, classes=3)
    options = Options(pixels=Pixels(mean=mean), norm=norm, dialect="bvlc" if norm == "batchnorm" else "srn_fork")
    first = convert(saved(tmp_path, state), "hdf5" if norm == "bn" else "caffemodel", options=options)
    back = convert(first.path, "torchvision", str(tmp_path / "back.pth"), Options(pixels=Pixels(mean=mean)))
    made = torch.load(back.path, weights_only=True)

    assert made.keys() == state.keys()
    for key, tensor in state.items():
        if key in ("conv1.weight", "bn1.running_mean"):
            assert_close(made[key], tensor, key, tolerance=1e-6)
        elif not key.endswith("num_batches_tracked"):
            assert torch.equal(made[key], tensor), key


def test_what_is_no_resnet_cannot_go_out(tmp_path: Path) -> None:
    path = saved(tmp_path, seeded_state_dict(TORCHVISION, 26, 4))
    model = read_model(path)
    out = str(tmp_path / "out.pth")

    def refused(message: str, **blobs: list[np.ndarray] | None) -> None:
        changed = model.blobs | blobs
        kept = {name: arrays for name, arrays in changed.items() if arrays is not None}
        known = {layer.name for layer in model.net.layer}
        layers = [*model.net.layer, *(type(model.net.layer[0])(name=name) for name in kept if name not in known)]
        file = str(tmp_path / "net.caffemodel.h5")
        write_caffemodel(file, model.with_layers(layers, kept))
        with pytest.raises(FormatError, match=message):
            convert(file, "torchvision", out)

    refused(r"expected layers named as in the public ResNets .*; convert with --rename readable first", conv1=None)
    refused(r"found 'res5d_branch2a' too; torchvision has no such net", res5d_branch2a=[np.ones((1, 1), np.float32)])
    refused(r"layer 'res2a_branch1': expected one blob \[16, 4, 1, 1\]", res2a_branch1=[np.ones((16, 4), np.float32)])
    refused(r"expected a normalisation 'bn2a_branch1' \(BN, or .* found 0 blobs", bn2a_branch1=None)


def test_a_net_that_strides_elsewhere_is_told(tmp_path: Path) -> None:
    done = convert(saved(tmp_path, seeded_state_dict(TORCHVISION, 26, 4)), "caffemodel")
    model = read_caffemodel(done.path)
    for name, stride in (("res3a_branch2a", 2), ("res3a_branch2b", 1)):
        model.layer(name).convolution_param.stride[:] = [stride]
    write_caffemodel(done.path, model)
    notes = convert(done.path, "torchvision").report.notes
    assert any(note.startswith("the net strides in the first 1x1 convolution of a stage") for note in notes)
    assert any(note.startswith("no layer fc1000: load with load_state_dict(..., strict=False)") for note in notes)
