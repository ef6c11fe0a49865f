"""`generate`."""

from pathlib import Path

from tests.cli.conftest import Program


def test_it_writes_what_the_generators_own_program_writes(program: Program, tmp_path: Path) -> None:
    flags = ("--model", "resnet101", "--labels", 4, "--depth", 26, "--width", 2, "--step", "test")
    status, printed, errors = program("generate", *flags, "--out", tmp_path)
    assert (status, errors) == (0, "")
    assert f"wrote {tmp_path}/custom_resnet101_test.prototxt" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["custom_resnet101_test.prototxt"]


def test_a_model_that_does_not_exist(program: Program) -> None:
    status, _, errors = program("generate", "--model", "resnet110")
    assert status == 2
    assert "did you mean 'resnet101'?" in errors or "did you mean 'resnet107'?" in errors


def test_an_error_of_the_generator_is_one_line(program: Program) -> None:
    status, _, errors = program("generate", "--model", "resnet101", "--dataset", "coco", "--labels", 3)
    assert status == 1
    assert errors.startswith("caffe-compat generate: ")
    assert errors.count("\n") == 1


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(program: Program, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = program("generate", "--all", "--out", tmp_path / "file")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"caffe-compat generate: {tmp_path}/file: cannot be written (File exists")
