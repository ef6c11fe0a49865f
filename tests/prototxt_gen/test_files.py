import shlex
from pathlib import Path

import pytest
from google.protobuf import text_format

from caffe_compat.proto import caffe_pb2
from caffe_compat.proto.dialects import bvlc_pb2, srn_fork_pb2
from prototxt_gen import DATASETS, PAPERS_MODELS, GeneratorOptions, count, generate, write
from prototxt_gen.__main__ import main
from prototxt_gen.options import command
from tests.prototxt_gen.generated import Options

ROOT = Path(__file__).parents[2]
DIALECT = {"batchnorm": bvlc_pb2, "bn": srn_fork_pb2}
SMALL: Options = {"labels": 5, "depth": 26, "width": 8, "input_size": 96}


def parsed(path_or_text, dialect, name):
    message = dialect.SolverParameter() if name.endswith("solver.prototxt") else dialect.NetParameter()
    return text_format.Parse(path_or_text, message)


@pytest.mark.parametrize("model", PAPERS_MODELS)
@pytest.mark.parametrize("backbone", ["resnet", "preresnet"])
@pytest.mark.parametrize("norm", ["batchnorm", "bn"])
@pytest.mark.parametrize("layout", ["paper", "released"])
def test_files_are_in_the_dialect_of_their_norm(model, backbone, norm, layout):
    options = {"model": model, "backbone": backbone, "norm": norm, "layout": layout, "finetune_losses": layout}
    for name, message in generate(**SMALL, **options).items():
        parsed(text_format.MessageToString(message), DIALECT[norm], name)


@pytest.mark.parametrize("norm", ["batchnorm", "bn"])
@pytest.mark.parametrize(
    "options",
    [
        {"source": "folder"},
        {"unknown_labels": True},
        {"test_view": "crop", "stride_in": "conv2"},
        {"learn_alpha": True},
    ],
)
def test_other_files_are_in_the_dialect_of_their_norm(norm, options):
    for name, message in generate(**SMALL, **options, norm=norm).items():
        parsed(text_format.MessageToString(message), DIALECT[norm], name)


def test_alpha_is_a_weight_only_where_it_learns():
    files = generate(**SMALL, learn_alpha=True)
    have = [name for name, m in files.items() if any(layer.name == "alpha" for layer in getattr(m, "layer", ()))]
    assert have == ["step_4_resnet101_srn_finetune_trainval.prototxt", "custom_resnet101_srn_test.prototxt"]


def test_floor_pooling_is_in_the_dialect_of_bvlc_caffe():
    for name, message in generate(**SMALL, pooling="floor").items():
        parsed(text_format.MessageToString(message), DIALECT["batchnorm"], name)


@pytest.mark.parametrize("norm", ["batchnorm", "bn"])
def test_solvers_are_in_both_dialects(norm):
    for name, message in generate(**SMALL, norm=norm).items():
        if name.endswith("solver.prototxt"):
            for dialect in DIALECT.values():
                parsed(text_format.MessageToString(message), dialect, name)


def test_types_are_those_that_the_forks_caffe_has():
    missing = {"BatchNorm", "Input", "Bias", "Crop", "Embed", "Parameter"}
    for options in ({}, {"layout": "released"}, {"learn_alpha": True}, {"attention": "uniform"}, {"conv4": "full"}):
        for message in generate(**SMALL, norm="bn", head_norm="bn", **options).values():
            if isinstance(message, caffe_pb2.NetParameter):
                assert not missing & {layer.type for layer in message.layer}


def test_file_names():
    assert list(generate(model="resnet101_srn", dataset="nus_wide", depth=26, width=8)) == [
        "step_1_resnet101_trainval.prototxt",
        "step_1_resnet101_solver.prototxt",
        "step_1_resnet101_test.prototxt",
        "step_2_resnet101_att_trainval.prototxt",
        "step_2_resnet101_att_solver.prototxt",
        "step_2_resnet101_att_test.prototxt",
        "step_3_resnet101_srn_trainval.prototxt",
        "step_3_resnet101_srn_solver.prototxt",
        "step_3_resnet101_srn_test.prototxt",
        "step_4_resnet101_srn_finetune_trainval.prototxt",
        "step_4_resnet101_srn_finetune_solver.prototxt",
        "nus_wide_resnet101_srn_test.prototxt",
    ]
    assert list(generate(model="resnet107", labels=3, step="1", depth=26, width=8)) == [
        "step_1_resnet107_trainval.prototxt",
        "step_1_resnet107_solver.prototxt",
        "custom_resnet107_test.prototxt",
    ]
    assert list(generate(model="resnet101_srn_att", labels=3, step="test")) == [
        "custom_resnet101_srn_att_test.prototxt"
    ]
    assert "step_3_resnet101_srn_att_trainval.prototxt" in generate(model="resnet101_srn_att", labels=3, step="3")


@pytest.mark.parametrize(
    ("depth", "public"), [(50, 25_557_032), (101, 44_549_160), (152, 60_192_808)]
)  # the public ImageNet models' counts
def test_count_of_the_public_resnets(depth, public):
    for norm in ("batchnorm", "bn"):
        assert count(GeneratorOptions(model="resnet101", labels=1000, depth=depth, norm=norm)) == {"main": public}


def test_srn_adds_what_the_paper_describes():
    parts = count(GeneratorOptions(model="resnet101_srn", dataset="coco"))
    attention = (1024 + 1) * 512 + (9 * 512 + 1) * 512 + (512 + 1) * 80 + (1024 + 1) * 80
    regularization = (80 + 1) * 512 + (512 + 1) * 512 + (14 * 14 + 1) * 2048 + (2048 + 1) * 80
    assert parts == {"main": 44_549_160 - 2049 * 920, "attention": attention, "regularization": regularization}
    assert round((attention + regularization) / 1e6, 1) == 3.9


def test_released_layout_adds_about_six_million():
    parts = count(GeneratorOptions(model="resnet101_srn", dataset="coco", layout="released"))
    bottlenecks = 2 * (1024 * 256 + 9 * 256 * 256 + 256 * 1024) + 2 * (3 * 1024 + 4 * 256)
    attention = 1024 * 512 + 9 * 512 * 512 + 512 * 80 + 2 * 2 * 512
    confidence = 1024 * 512 + 512 * 80 + 2 * 512
    regularization = 80 * 512 + 512 * 512 + 196 * 2048 + 2 * (512 + 512 + 2048) + 2049 * 80
    assert parts["attention"] == bottlenecks + attention + confidence
    assert parts["regularization"] == regularization
    assert 6.0e6 < parts["attention"] + parts["regularization"] < 6.7e6


def test_two_blocks_of_resnet_107_weigh_more_than_srn():
    more = (
        count(GeneratorOptions(model="resnet107", dataset="coco"))["main"]
        - count(GeneratorOptions(model="resnet101", dataset="coco"))["main"]
    )
    assert more == 2 * (2 * 2048 * 512 + 9 * 512 * 512 + 2 * (512 + 512 + 2048))


def test_first_line_is_the_command_that_wrote_the_file(tmp_path, capsys):
    options = GeneratorOptions(labels=5, depth=26, width=8, norm="bn", mirror=False, alpha=0.25)
    paths = write(options, str(tmp_path / "one"))
    lines = {path.read_text().splitlines()[0] for path in paths}
    assert lines == {f"# {command(options, str(tmp_path / 'one'))}"}
    text = [path.read_text() for path in paths]
    program, *arguments = shlex.split(lines.pop().removeprefix("# python -m "))
    assert program == "prototxt_gen"
    assert main(arguments) == 0
    assert [path.read_text() for path in paths] == text
    assert f"wrote {paths[0]}" in capsys.readouterr().out


def test_count_writes_nothing(tmp_path, capsys):
    assert main(["--model", "resnet101_srn", "--dataset", "coco", "--count", "--out", str(tmp_path / "none")]) == 0
    line = "resnet101_srn: 46,543,232 parameters (main 42,664,080, attention 3,007,648, regularization 871,504)\n"
    assert capsys.readouterr().out == line
    assert not (tmp_path / "none").exists()


def test_bad_options_end_with_one_line(capsys):
    assert main(["--model", "resnet101"]) == 1
    assert capsys.readouterr().err.startswith("prototxt_gen: options: expected either --dataset or --labels")


@pytest.mark.slow
def test_checked_in_models_are_fresh(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["--all", "--out", "models"]) == 0
    fresh = {path: path.read_text() for path in Path("models").rglob("*.prototxt")}
    kept = {path.relative_to(ROOT): path.read_text() for path in (ROOT / "models").rglob("*.prototxt")}
    assert kept == fresh, "run scripts/generate"
    assert len(kept) == len(DATASETS) * 36
    assert sum(map(len, kept.values())) < 10_000_000
