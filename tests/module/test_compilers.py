"""What PyTorch's compilers and its training on several processes make of a module."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import caffe_compat as caffe
from caffe_compat.module.caffe_module import CaffeModule
from tests.module.nets import TEXT, images, small
from tests.prototxt_gen.generated import built, predicting_net

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def forget_compiled_code() -> None:
    """torch keeps at most eight compiled variants of a function, and all modules have one forward."""
    torch.compiler.reset()


def test_export_leaves_batch_and_size_open() -> None:
    module = small()
    axes = {0: torch.export.Dim("items"), 2: torch.export.Dim("height", min=4), 3: torch.export.Dim("width", min=4)}
    program = torch.export.export(module, (images(),), dynamic_shapes={"inputs": (axes,)})

    other = images(3, 3, 13, 6)
    torch.testing.assert_close(program.module()(other), module(other), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")  # torch's own use
@pytest.mark.parametrize("training", [False, True])
def test_the_compiled_module_is_one_graph(training: bool) -> None:
    module = small(text=TEXT.replace("dropout_ratio: 0.4", "dropout_ratio: 0"))
    module.train(training)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    wanted = module(images())
    moved = {name: value.clone() for name, value in module.state_dict().items()}
    module.load_state_dict(before)
    compiled = torch.compile(module, fullgraph=True)

    torch.testing.assert_close(compiled(images()), wanted, rtol=1e-3, atol=1e-3)
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, moved[name], rtol=1e-3, atol=1e-3)


def pooled_regions(kind: str, field: str) -> tuple[str, list[torch.Tensor]]:
    """A layer that pools two regions of two images, and its bottoms."""
    text = (
        INPUT.format("a", "dim: 2 dim: 3 dim: 6 dim: 7")
        + INPUT.format("b", "dim: 2 dim: 5")
        + f'layer {{ name: "p" type: "{kind}" bottom: "a" bottom: "b" top: "p" '
        f"{field} {{ pooled_h: 2 pooled_w: 3 spatial_scale: 0.5 }} }}"
    )
    return text, [images(2, 3, 6, 7), torch.tensor([[1.0, 0.0, 1.0, 9.0, 8.0], [0.0, 2.0, 2.0, 5.0, 11.0]])]


INPUT = 'layer {{ name: "{0}" type: "Input" top: "{0}" input_param {{ shape {{ {1} }} }} }}'
#: Nets whose layers look at sizes or values of their bottoms, with values for their inputs.
LOOKING: dict[str, tuple[str, list[torch.Tensor]]] = {
    "reshape": (
        INPUT.format("a", "dim: 2 dim: 3 dim: 4")
        + 'layer { name: "r" type: "Reshape" bottom: "a" top: "r" reshape_param { shape { dim: 0 dim: -1 } } }',
        [torch.arange(24.0).view(2, 3, 4)],
    ),
    "embed": (
        INPUT.format("a", "dim: 3")
        + 'layer { name: "e" type: "Embed" bottom: "a" top: "e" embed_param { num_output: 2 input_dim: 5 } }',
        [torch.tensor([4.0, 0.0, 2.0])],
    ),
    "regions": pooled_regions("ROIPooling", "roi_pooling_param"),
    "warped regions": pooled_regions("ROIWarping", "roi_warping_param"),
    "unpooling": (
        INPUT.format("a", "dim: 2 dim: 3 dim: 6 dim: 8")
        + 'layer { name: "p" type: "Pooling" bottom: "a" top: "p" top: "m" pooling_param { kernel_size: 2 stride: 2 } }'
        'layer { name: "u" type: "Upsample" bottom: "p" bottom: "m" top: "u" }',
        [images(2, 3, 6, 8)],
    ),
    "detections": (
        INPUT.format("offsets", "dim: 2 dim: 24") + INPUT.format("scores", "dim: 2 dim: 18")
        + INPUT.format("priors", "dim: 1 dim: 2 dim: 24")
        + 'layer { name: "d" type: "DetectionOutput" bottom: "offsets" bottom: "scores" bottom: "priors" top: "d" '
        "detection_output_param { num_classes: 3 keep_top_k: 5 code_type: CENTER_SIZE nms_param { top_k: 4 } } }",
        [images(2, 24), images(2, 18, seed=6), images(1, 2, 24, seed=7).abs()],
    ),
    "detections of a grid": (
        INPUT.format("a", "dim: 2 dim: 7 dim: 3 dim: 3")
        + 'layer { name: "d" type: "YoloDetectionOutput" bottom: "a" top: "d" '
        "yolo_detection_output_param { num_classes: 2 num_box: 1 biases: 1 biases: 1.5 confidence_threshold: 0.2 } }",
        [images(2, 7, 3, 3)],
    ),
    "peaks": (
        INPUT.format("a", "dim: 2 dim: 3 dim: 7 dim: 9")
        + 'layer { name: "n" type: "Nms" bottom: "a" top: "n" nms_param { num_parts: 2 max_peaks: 4 } }',
        [images(2, 3, 7, 9)],
    ),
    "enlarged images": (
        INPUT.format("a", "dim: 2 dim: 3 dim: 8 dim: 9")
        + 'layer { name: "i" type: "ImResize" bottom: "a" top: "i" '
        "imresize_param { factor: 1.5 start_scale: 1 scale_gap: 0.25 } }",
        [images(2, 3, 8, 9)],
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("net", LOOKING)
def test_layers_that_look_at_their_bottoms_do_not_break_the_graph(net: str) -> None:
    text, values = LOOKING[net]
    module = small(text=text)
    with torch.no_grad():
        wanted = module(*values)
        found = torch.compile(module, fullgraph=True, backend="eager")(*values)
        exported = torch.export.export(module, tuple(values)).module()(*values)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(exported, wanted)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning")  # torch's own use
def test_torchs_own_compiler_takes_a_choice_of_regions() -> None:
    """Only lowering to code, which other backends leave out, refused the choice by values."""
    text, values, _ = OPEN["regions with channels of their own"]
    module = small(text=text)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(module, fullgraph=True)(*values), module(*values))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own doing
def test_the_gradient_of_warped_regions_is_the_same_in_compiled_code() -> None:
    text, (features, boxes) = LOOKING["warped regions"]
    module = small(text=text)
    found = []
    for run in (module, torch.compile(module, fullgraph=True, backend="aot_eager")):
        leaf = features.clone().requires_grad_()
        run(leaf, boxes).pow(3).sum().backward()
        found.append(leaf.grad)
    torch.testing.assert_close(found[1], found[0])


def regions(count: int) -> torch.Tensor:
    return torch.tensor([[index % 2, 1.0 + index, 2.0, 7.0 + index, 9.0] for index in range(count)])


PYRAMID = (
    INPUT.format("a", "dim: 2 dim: 3 dim: 6 dim: 7").replace("{", "{{").replace("}", "}}")
    + 'layer {{ name: "s" type: "SPP" bottom: "a" top: "s" spp_param {{ pyramid_height: 3 pool: {} }} }}'
)
#: Nets with values for their inputs, and values of other sizes for the exported program.
OPEN: dict[str, tuple[str, list[torch.Tensor], list[torch.Tensor]]] = {
    "priors": (
        INPUT.format("image", "dim: 1 dim: 3 dim: 40 dim: 56")
        + INPUT.format("a", "dim: 2 dim: 4 dim: 5 dim: 7")
        + 'layer { name: "p" type: "PriorBox" bottom: "a" bottom: "image" top: "p" '
        "prior_box_param { min_size: 10 max_size: 20 aspect_ratio: 2 } }",
        [images(1, 3, 40, 56), images(2, 4, 5, 7)],
        [images(1, 3, 48, 80), images(3, 4, 6, 10)],
    ),
    "regions with channels of their own": (
        INPUT.format("a", "dim: 2 dim: 12 dim: 6 dim: 8")
        + INPUT.format("b", "dim: 5 dim: 5")
        + 'layer { name: "p" type: "PSROIPooling" bottom: "a" bottom: "b" top: "p" '
        "psroi_pooling_param { output_dim: 3 group_size: 2 spatial_scale: 0.5 } }",
        [images(2, 12, 6, 8), regions(5)],
        [images(2, 12, 9, 7), regions(8)],
    ),
    "maxima of a pyramid": (PYRAMID.format("MAX"), [images(2, 3, 6, 7)], [images(3, 3, 13, 10)]),
    "means of a pyramid": (PYRAMID.format("AVE"), [images(2, 3, 6, 7)], [images(3, 3, 11, 9)]),
    "peaks": (LOOKING["peaks"][0], [images(2, 3, 7, 9)], [images(4, 3, 8, 13)]),
}


SSD = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 24 dim: 32 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "norm" type: "Normalize" bottom: "conv" top: "norm" norm_param { across_spatial: false } }
layer { name: "loc" type: "Convolution" bottom: "norm" top: "loc" convolution_param { num_output: 12 kernel_size: 1 } }
layer { name: "perm" type: "Permute" bottom: "loc" top: "perm" permute_param { order: [0, 2, 3, 1] } }
layer { name: "offsets" type: "Flatten" bottom: "perm" top: "offsets" }
layer { name: "conf" type: "Convolution" bottom: "norm" top: "conf" convolution_param { num_output: 9 kernel_size: 1 } }
layer { name: "perm2" type: "Permute" bottom: "conf" top: "perm2" permute_param { order: [0, 2, 3, 1] } }
layer { name: "rows" type: "Reshape" bottom: "perm2" top: "rows" reshape_param { shape { dim: [0, -1, 3] } } }
layer { name: "soft" type: "Softmax" bottom: "rows" top: "soft" softmax_param { axis: 2 } }
layer { name: "scores" type: "Flatten" bottom: "soft" top: "scores" }
layer { name: "priors" type: "PriorBox" bottom: "norm" bottom: "data" top: "priors"
  prior_box_param { min_size: 6 max_size: 10 aspect_ratio: 2 flip: false variance: 0.1 } }
layer { name: "found" type: "DetectionOutput" bottom: "offsets" bottom: "scores" bottom: "priors" top: "found"
  detection_output_param { num_classes: 3 keep_top_k: 20 code_type: CENTER_SIZE nms_param { top_k: 40 } } }
"""


@pytest.mark.slow
def test_a_detector_is_one_graph_and_exports_with_open_sizes() -> None:
    module = small(text=SSD)
    values, other = images(2, 3, 24, 32), images(3, 3, 32, 20)
    free = torch.export.Dim.AUTO
    with torch.no_grad():
        compiled = torch.compile(module, fullgraph=True, backend="eager")
        exported = torch.export.export(module, (values,), dynamic_shapes={"inputs": ({0: free, 2: free, 3: free},)})
        for batch in (values, other):
            torch.testing.assert_close(compiled(batch), module(batch), rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(exported.module()(batch), module(batch), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("net", OPEN)
def test_exported_layers_take_other_sizes(net: str) -> None:
    text, values, others = OPEN[net]
    module = small(text=text)
    free = torch.export.Dim.AUTO
    axes = tuple(
        {axis: free for axis, (size, new) in enumerate(zip(one.shape, two.shape, strict=True)) if size != new}
        for one, two in zip(values, others, strict=True)
    )
    program = torch.export.export(module, tuple(values), dynamic_shapes={"inputs": axes})
    torch.testing.assert_close(program.module()(*others), module(*others))


@pytest.mark.slow
def test_thin_images_in_bfloat16() -> None:
    """Strides along a top of width 1 reach no kernel of oneDNN: its numbers are then those in memory."""
    convolution = "num_output: 16 kernel_size: 3 stride: 2 pad: 1 weight_filler { type: 'xavier' }"
    module = small(
        text=INPUT.format("a", "dim: 2 dim: 8 dim: 14 dim: 2")
        + f"layer {{ name: 'c' type: 'Convolution' bottom: 'a' top: 'c' convolution_param {{ {convolution} }} }}",
    )
    values = images(2, 8, 14, 2)
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    with torch.no_grad():
        wanted = module(values)
        for _ in range(5):
            torch.full((100_000,), 1e30)
            with torch.autocast("cpu", torch.bfloat16):
                found = compiled(values)
            torch.testing.assert_close(found.float(), wanted, rtol=0.05, atol=0.05 * float(wanted.abs().max()))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # torch's own doing
def test_the_generated_srn_is_one_graph(tmp_path: Path) -> None:
    module = generated_srn(tmp_path)
    values = module.preprocess(np.zeros((70, 80, 3), np.uint8))
    with torch.no_grad():
        wanted = module(values)
        found = torch.compile(module, fullgraph=True, backend="eager")(values)
    for name, value in wanted.items():
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-3)


def generated_srn(folder: Path) -> CaffeModule:
    """The small SRN that `generate` writes."""
    net = built(predicting_net(model="resnet101_srn", labels=5, depth=26, width=4, input_size=64))
    net.save(str(folder / "net.caffemodel"))
    return caffe.load(str(folder / "net.caffemodel"))


WORKER = """
import sys
import torch
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from tests.module.nets import images, small

torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
parallel = DistributedDataParallel(small(seed=3 + rank).train())
optimizer = torch.optim.SGD(parallel.parameters(), lr=0.02, momentum=0.9)
for step in range(10):
    loss = cross_entropy(parallel(images(4, 3, 9, 8, seed=10 * step + rank)), torch.tensor([0, 1, 2, 4]))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
torch.save(dict(parallel.module.named_parameters()), f"{sys.argv[1]}/{rank}.pt")
torch.distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_stay_equal(tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text(WORKER)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [*command, str(tmp_path / "worker.py"), str(tmp_path)],
        check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True, timeout=300,
    )  # fmt: skip
    one, other = (torch.load(tmp_path / f"{rank}.pt", weights_only=False) for rank in range(2))
    start = dict(small().named_parameters())

    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert not torch.equal(one["conv1.weight"], start["conv1.weight"])
