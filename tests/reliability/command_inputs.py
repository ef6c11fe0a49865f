"""Files that commands read beside those of training: what a user types for each of them."""

import io
import json
import logging
import shutil
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import plyvel
from scipy.io import savemat

from caffe_compat.cli.start import start
from caffe_compat.data.sources.datums import image_to_datum
from caffe_compat.errors import CaffeError
from caffe_compat.srn.watching.event_file import read_run
from tests.reliability.inputs import LAYERS, Kind
from tests.srn.datasets.synthetic_coco import write_coco
from tests.srn.datasets.synthetic_nus_wide import write_nus_wide
from tests.srn.datasets.synthetic_wider_attribute import write_wider_attribute

GOLDENS = Path(__file__).resolve().parents[1] / "goldens" / "bvlc" / "layers" / "rand_00007" / "TRAIN"
OLD_NET = """name: "old" input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" convolution_param { num_output: 4 kernel_size: 3 } }
layers { name: "p" type: POOLING bottom: "c" top: "p" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
"""
LOG = """I0520 23:00:23.213491  9848 solver.cpp:280] Solving net
I0520 23:00:24.213491  9848 solver.cpp:330] Iteration 0, Testing net (#0)
I0520 23:00:25.213491  9848 solver.cpp:397]     Test net output #0: accuracy = 0.125
I0520 23:00:26.213491  9848 solver.cpp:218] Iteration 0 (12.5 iter/s, 8s/100 iters), loss = 0.6931
I0520 23:00:26.313491  9848 solver.cpp:237]     Train net output #0: loss = 0.6931 (* 1 = 0.6931 loss)
I0520 23:00:27.213491  9848 sgd_solver.cpp:105] Iteration 0, lr = 0.01
"""
VOC = "<annotation><filename>{}</filename><object><name>cat</name><difficult>0</difficult></object></annotation>"


def command(*arguments: str) -> str:
    """Runs a command and returns what it printed; its message is raised as a CaffeError where it fails."""
    said, printed = io.StringIO(), io.StringIO()
    logger = logging.getLogger("caffe_compat")
    level, handlers = logger.level, list(logger.handlers)
    try:
        with redirect_stderr(said), redirect_stdout(printed):
            status = start(arguments)
    finally:
        logger.setLevel(level)
        logger.handlers[:] = handlers
    words = said.getvalue().strip()
    if "Traceback" in words or "unexpected " in words.rpartition("] ")[2][:40] or status not in (0, 1, 2):
        raise AssertionError(f"status {status}: {words}")
    if status and words:
        raise CaffeError(words.splitlines()[-1])
    return printed.getvalue()


def prepare(*arguments: str) -> None:
    """Runs `prepare` into a new folder."""
    shutil.rmtree("prepared", ignore_errors=True)
    command("prepare", *arguments, "--out", "prepared", "--workers", "1", "--quiet")


def of_command(name: str, file: str, *arguments: str) -> Kind:
    """A kind whose use is one command line."""
    return Kind(name, file, partial(command, *arguments))


def of_prepare(name: str, file: str, *arguments: str) -> Kind:
    """A kind whose use is one way to prepare data."""
    return Kind(name, file, partial(prepare, *arguments))


COCO = ("coco", "--annotations", "coco/annotations", "--images", "coco")
NUS_WIDE = ("nus_wide", "--root", "nus", "--images", "nus/Flickr")
WIDER = ("wider_att", "--annotations", "wider", "--images", "wider/Image")
EVALUATE = ("evaluate", "--dataset", "own")
VERIFY = ("verify", "--prototxt", "deploy.prototxt", "--weights", "s_iter_2.caffemodel", "--against")

COMMAND_KINDS = (
    *(Kind(f"leveldb {name}", f"level/{name}", lambda: run_leveldb())
      for name in ("000005.ldb", "000006.log", "MANIFEST-000004", "CURRENT")),
    of_command("mean.npy", "mean.npy", "convert", "mean.npy", "--to", "binaryproto", "--out", "out.binaryproto"),
    of_command("input.npy", "input.npy", *VERIFY, "exact", "--input", "data=input.npy"),
    of_command("input.png", "0.png", *VERIFY, "exact", "--input", "data=0.png"),
    of_command("dump.npz", "dump.npz", "verify", "--prototxt", "dumped.prototxt", "--weights", "dumped.caffemodel",
               "--phase", "TRAIN", "--against", "dump.npz"),
    of_command("onnx", "m.onnx", *VERIFY, "m.onnx"),
    of_command("description", "m.pt.json", "convert", "m.pt", "--to", "caffemodel", "--out", "out.caffemodel"),
    of_command("caffemodel to onnx", "s_iter_2.caffemodel", "convert", "s_iter_2.caffemodel", "--to", "onnx", "--fold",
               "--out", "out.onnx"),
    of_command("safetensors to hdf5", "m.safetensors", "convert", "m.safetensors", "--to", "hdf5", "--out", "out.h5"),
    of_command("names", "names.txt", "convert", "s_iter_2.caffemodel", "--to", "caffemodel", "--rename", "names.txt",
               "--out", "out.caffemodel"),
    of_command("names.json", "names.json", "convert", "s_iter_2.caffemodel", "--to", "caffemodel", "--rename",
               "names.json", "--out", "out.caffemodel"),
    of_prepare("coco json", "coco/annotations/instances_train2014.json", *COCO),
    of_prepare("nus list", "nus/ImageList/TrainImagelist.txt", *NUS_WIDE),
    of_prepare("nus labels", "nus/Groundtruth/TrainTestLabels/Labels_animal_Train.txt", *NUS_WIDE),
    of_prepare("nus concepts", "nus/Concepts81.txt", *NUS_WIDE),
    of_prepare("wider json", "wider/wider_attribute_trainval.json", *WIDER),
    of_prepare("own csv", "own.csv", "own", "--train", "own.csv"),
    of_prepare("own tsv", "own.tsv", "own", "--train", "own.tsv", "--separator", "space"),
    of_prepare("own json", "own.json", "own", "--train", "own.json"),
    of_prepare("own json lines", "own.jsonl", "own", "--train", "own.jsonl"),
    of_prepare("own voc", "voc/0.xml", "own", "--train", "voc", "--root", "."),
    of_prepare("own list", "own.txt", "own", "--train", "own.txt", "--train-labels", "own_labels.txt"),
    of_prepare("own labels", "own_labels.txt", "own", "--train", "own.txt", "--train-labels", "own_labels.txt"),
    of_prepare("classes", "classes.txt", "own", "--train", "own.csv", "--classes", "classes.txt"),
    of_command("labels", "labels.txt", *EVALUATE, "--labels", "labels.txt", "--predictions", "scores.txt"),
    of_command("scores", "scores.txt", *EVALUATE, "--labels", "labels.txt", "--predictions", "scores.txt"),
    of_command("scores.npy", "scores.npy", *EVALUATE, "--labels", "labels.txt", "--predictions", "scores.npy"),
    of_command("class names", "class_names.txt", *EVALUATE, "--labels", "labels.txt", "--predictions", "scores.txt",
               "--class-names", "class_names.txt"),
    of_command("accessible", "accessible.mat", *EVALUATE, "--labels", "labels.txt", "--predictions", "scores.txt",
               "--accessible", "accessible.mat"),
    of_command("accessible text", "accessible.txt", *EVALUATE, "--labels", "labels.txt", "--predictions", "scores.txt",
               "--accessible", "accessible.txt"),
    of_command("accessible, MATLAB 5", "accessible5.mat", *EVALUATE, "--labels", "labels.txt", "--predictions",
               "scores.txt", "--accessible", "accessible5.mat"),
    of_command("hdf5 to caffemodel", "h_iter_2.caffemodel.h5", "convert", "h_iter_2.caffemodel.h5", "--prototxt",
               "deploy.prototxt", "--to", "caffemodel", "--out", "out.caffemodel"),
    of_command("prototxt of hdf5", "deploy.prototxt", "convert", "h_iter_2.caffemodel.h5", "--prototxt",
               "deploy.prototxt", "--to", "caffemodel", "--out", "out.caffemodel"),
    of_command("events, resumed", "watched/metrics.jsonl", "train", "--solver=list_solver.prototxt", "--watch=watched",
               "--quiet"),
    of_prepare("own utf-16", "own16.csv", "own", "--train", "own16.csv"),
    of_prepare("own coco json", "own_coco.json", "own", "--train", "own_coco.json"),
    of_command("log", "train.log", "parse-log", "train.log", "tables"),
    of_command("log, plotted", "train.log", "plot-log", "6", "loss.png", "train.log"),
    Kind("events", "metrics.jsonl", lambda: read_run(Path("metrics.jsonl"))),
    of_command("lmdb, mean", "db/data.mdb", "compute_image_mean", "db", "out.binaryproto"),
    Kind("list, converted", "list.txt", lambda: convert_list()),
    Kind("image, converted", "1.png", lambda: convert_list()),
    of_command("list, predicted", "list.txt", "predict", "./", "list.txt", "deploy.prototxt", "s_iter_2.caffemodel",
               "out.txt", "--quiet"),
    of_command("features", "s_iter_2.caffemodel", "summary", "s_iter_2.caffemodel"),
    of_command("old net", "old.prototxt", "upgrade_net_proto_text", "old.prototxt", "new.prototxt"),
    of_command("old weights", "s_iter_2.caffemodel", "upgrade_net_proto_binary", "s_iter_2.caffemodel",
               "out.caffemodel"),
    of_command("old solver", "list_solver.prototxt", "upgrade_solver_proto_text", "list_solver.prototxt",
               "out.prototxt"),
    of_command("net, shown", "deploy.prototxt", "view", "deploy.prototxt", "--out", "out.html"),
    of_command("net, summed up", "deploy.prototxt", "summary", "deploy.prototxt"),
    of_command("parity report", "parity.json", "view", "deploy.prototxt", "--parity", "parity.json", "--out",
               "out.html"),
    of_command("summary of data", "own_data/summary.json", "generate", "--model", "resnet101_srn", "--data", "own_data",
               "--depth", "26", "--width", "8", "--out", "generated", "--step", "1"),
)  # fmt: skip


def run_leveldb() -> None:
    """Runs a net on a copy of the LevelDB, because LevelDB changes a folder that it opens."""
    shutil.rmtree("level_copy", ignore_errors=True)
    shutil.copytree("level", "level_copy", symlinks=True)
    command("test", "--model=level.prototxt", "--iterations=3", "--weights=s_iter_2.caffemodel")


def convert_list() -> None:
    """Makes a database of the list."""
    shutil.rmtree("new_db", ignore_errors=True)
    command("convert_imageset", "./", "list.txt", "new_db")


def make_command_inputs() -> None:
    """Writes them to the current folder, beside those of `make_inputs`."""
    _make_leveldb()
    _make_models()
    _make_annotations(Path())
    _make_scores()
    Path("old.prototxt").write_text(OLD_NET)
    Path("train.log").write_text(LOG * 3)
    command("train", "--solver=list_solver.prototxt", "--watch", "watched", "--quiet")
    shutil.copy("watched/metrics.jsonl", "metrics.jsonl")
    for path in Path("watched").glob("*.html"):
        path.unlink()


def _make_leveldb() -> None:
    random = np.random.RandomState(5)
    for first in (0, 4):  # the second opening turns the first one's log into a table
        _append(random, first)
    layer = 'name: "level"\nlayer { name: "data" type: "Data" top: "data" top: "label" data_param '
    Path("level.prototxt").write_text(f'{layer}{{ source: "level_copy" batch_size: 3 backend: LEVELDB }} }}\n{LAYERS}')


def _append(random: np.random.RandomState, first: int) -> None:
    with plyvel.DB("level", create_if_missing=True) as database:
        for number in range(first, first + 4):
            image = random.randint(0, 256, (8, 8, 3), np.uint8)
            database.put(b"%08d" % number, image_to_datum(image, number % 3).SerializeToString())


def _make_models() -> None:
    command("convert", "s_iter_2.caffemodel", "--to", "prototxt", "--out", "deploy.prototxt", "--quiet")
    command("convert", "s_iter_2.caffemodel", "--to", "onnx", "--out", "m.onnx", "--quiet")
    command("convert", "mean.binaryproto", "--to", "npy", "--out", "mean.npy", "--quiet")
    command(*VERIFY, "exact", "--json", "parity.json")
    np.save("input.npy", np.random.RandomState(2).rand(3, 3, 8, 8).astype(np.float32))
    for source, name in (("blobs.npz", "dump.npz"), ("net.prototxt", "dumped.prototxt"),
                         ("weights.caffemodel", "dumped.caffemodel")):  # fmt: skip
        shutil.copy(GOLDENS / source, name)
    Path("names.txt").write_text("# old new\nconv first\nip last\n")
    Path("names.json").write_text(json.dumps({"conv": "first", "ip": "last"}))


def _make_annotations(here: Path) -> None:
    write_coco(here / "coco")
    write_nus_wide(here / "nus")
    write_wider_attribute(here / "wider")
    names = ["0.png", "1.png", "2.jpg"]
    Path("own.csv").write_text("image,cat,dog\n" + "".join(f"{name},{n % 2},1\n" for n, name in enumerate(names)))
    Path("own.tsv").write_text("image\tlabels\n" + "".join(f"{name}\tcat dog\n" for name in names))
    entries = [{"image": name, "labels": ["cat", "dog"][: 1 + n % 2]} for n, name in enumerate(names)]
    Path("own.json").write_text(json.dumps(entries, indent=1))
    Path("own.jsonl").write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
    Path("own16.csv").write_text(Path("own.csv").read_text(), encoding="utf-16")
    Path("own_coco.json").write_text(json.dumps(_own_coco(names)))
    Path("own.txt").write_text("".join(f"{name}\n" for name in names))
    Path("own_labels.txt").write_text("1 0\n0 1\n1 1\n")
    Path("classes.txt").write_text("cat\ndog\n")
    Path("voc").mkdir()
    for number, name in enumerate(names):
        Path(f"voc/{number}.xml").write_text(VOC.format(name))
    command("prepare", "own", "--train", "own.csv", "--test", "own.csv", "--out", "own_data", "--quiet")


def _own_coco(names: list[str]) -> dict[str, object]:
    images = [{"id": number, "file_name": name, "width": 8, "height": 8} for number, name in enumerate(names)]
    boxes = [{"id": number, "image_id": number, "category_id": 1 + number % 2, "bbox": [1, 1, 4, 4], "iscrowd": 0}
             for number in range(len(names))]  # fmt: skip
    kinds = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    return {"images": images, "annotations": boxes, "categories": kinds}


def _make_scores() -> None:
    random = np.random.RandomState(8)
    np.savetxt("labels.txt", random.rand(9, 4) < 0.5, fmt="%d")
    scores = random.randn(9, 4)
    np.savetxt("scores.txt", scores, fmt="%.5f")
    np.save("scores.npy", scores)
    Path("class_names.txt").write_text("cat\ndog\nbird\nlong-eared owl\n")
    with h5py.File("accessible.mat", "w") as file:
        file["idx_final_test"] = np.array([[2.0], [5.0], [3.0], [7.0], [1.0]])
    savemat("accessible5.mat", {"idx_final_test": np.array([[2.0], [5.0], [3.0], [7.0], [1.0]])}, do_compression=True)
    Path("accessible.txt").write_text("2\n5\n3\n7\n1\n")
