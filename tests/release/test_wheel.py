"""What is released: the wheel in an empty environment, and what the sdist holds."""

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import caffe_compat

ROOT = Path(__file__).parents[2]
GOLDENS = ROOT / "tests" / "goldens"
LIKE = GOLDENS / "srn_fork" / "released_like"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, tracked):
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to((ROOT / name).resolve())
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def program(built: Path) -> Path:
    """`caffe-compat` in an environment that holds the wheel; its requirements come from this environment."""
    place = built / "environment"
    venv.create(place, with_pip=False)
    packages = next((place / "lib").glob("python3.*/site-packages"))
    here = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    (packages / "requirements.pth").write_text(f"{here}\n")
    (wheel,) = built.glob("*.whl")
    install = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*install, "--no-index", "--no-deps", str(wheel)], check=True)
    return place / "bin" / "caffe-compat"


def run(program: Path, folder: Path, *arguments: object) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    command = [str(program), *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_command_is_in_the_wheel(program: Path, tmp_path: Path) -> None:
    assert run(program, tmp_path, "--version") == f"caffe-compat {caffe_compat.__version__}\n"
    names = re.findall(r"^  ([a-z][\w-]+) ", run(program, tmp_path, "help"), re.MULTILINE)
    assert len(names) >= 25
    assert "everything that is needed works" in run(program, tmp_path, "doctor")
    for name in names:
        assert f"usage: caffe-compat {name}" in run(program, tmp_path, name, "--help")


def test_the_journeys_in_an_empty_environment(program: Path, tmp_path: Path) -> None:
    run(program, tmp_path, "generate", "--model", "resnet101_srn", "--labels", 5, "--depth", 26, "--width", 2)
    run(program, tmp_path, "convert", LIKE / "weights.caffemodel", "--to", "safetensors", "--out", "w.safetensors")
    case = GOLDENS / "bvlc" / "layers" / "rand_00007" / "TRAIN"
    net = ("--prototxt", case / "net.prototxt", "--weights", case / "weights.caffemodel", "--phase", "TRAIN")
    run(program, tmp_path, "verify", *net, "--against", case / "blobs.npz", "--html", "parity.html")
    assert "prefers-color-scheme: dark" in (tmp_path / "parity.html").read_text()
    run(program, tmp_path, "record", "--copy", "record_blobs.py")
    assert (tmp_path / "record_blobs.py").read_text() == (ROOT / "tools" / "record_blobs.py").read_text()
    (tmp_path / "script.py").write_text("import caffe\nprint caffe.__version__, 7 / 2\n")
    assert run(program, tmp_path, "run", "script.py") == "1.0.0 3\n"


def test_the_wheel_holds_its_data(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        "caffe_compat/py.typed", "caffe_compat/proto/caffe.proto", "caffe_compat/pages/templates/style.css",
        "caffe_compat/parity/record_blobs.py", "prototxt_gen/__main__.py",
    }  # fmt: skip
    assert wanted <= names
    tracked = subprocess.run(
        ["git", "ls-files", "caffe_compat", "prototxt_gen"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()  # fmt: skip
    assert {name for name in tracked if not name.endswith(".md")} <= names


def test_the_sdist_holds_tools_docs_models_and_tests(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    missing = {
        name for name in tracked if name.split("/")[0] in ("tools", "docs", "models", "tests", "caffe_compat")
    } - names
    assert missing == set()


def test_the_metadata_are_sound(built: Path) -> None:
    files = [str(file) for pattern in ("*.whl", "*.tar.gz") for file in built.glob(pattern)]
    done = subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
