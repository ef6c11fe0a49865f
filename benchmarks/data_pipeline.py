"""How fast do images reach a net? Against the bare decode-and-resize loop, and against torch's DataLoader with PIL.

    python benchmarks/data_pipeline.py [--images 384] [--rounds 7] [--workers N] [--json FILE]

Images are 256 x 256 pieces of scikit-learn's two photographs as JPEG; the transform is the paper's (five scales, fixed
corners, mirror, mean values, 224 x 224, batches of 96). All contenders use the same cores and take turns in every
round; the table gives medians over the rounds, and ratios are medians of the ratios within a round, so that other load
on the machine falls on all alike.
"""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import torch
from google.protobuf import text_format
from sklearn.datasets import load_sample_images

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from caffe_compat.data.batch import available_cores
from caffe_compat.data.lmdb_writer import LmdbWriter
from caffe_compat.data.sources.datums import encoded_datum, image_to_datum, record_key
from caffe_compat.layers.data.base_data import PrefetchingData
from caffe_compat.layers.registry import create_layer
from caffe_compat.layers.spec import LayerSpec
from caffe_compat.proto import caffe_pb2

BATCH = 96
CROP = 224
#: How often a contender goes through the images in one round (torch's loader, the slowest, once).
EPOCHS = 2
RATIOS = (1.0, 0.875, 0.75, 0.66, 0.5)
MEAN = (104.0, 117.0, 123.0)
TRANSFORM = (
    f"transform_param {{ crop_size: {CROP} mirror: true multi_scale: true fix_crop: true max_distort: 4 "
    + " ".join(f"scale_ratios: {ratio}" for ratio in RATIOS)
    + " "
    + " ".join(f"mean_value: {value}" for value in MEAN)
    + " }"
)
SOURCES = {
    "encoded LMDB": 'type: "Data" data_param { source: "%s/encoded_lmdb" batch_size: 96 backend: LMDB shuffle: true }',
    "raw LMDB": 'type: "Data" data_param { source: "%s/raw_lmdb" batch_size: 96 backend: LMDB shuffle: true }',
    "image folder": 'type: "ImageData" image_data_param { source: "%s/list.txt" root_folder: "%s/" batch_size: 96 '
    "shuffle: true }",
}


def write_images(folder: Path, count: int) -> list[bytes]:
    """The images as files, list, and both LMDBs; returns the JPEG files' bytes."""
    generator = np.random.default_rng(0)
    photographs = load_sample_images().images
    files = []
    with LmdbWriter(f"{folder}/encoded_lmdb") as encoded, LmdbWriter(f"{folder}/raw_lmdb") as raw:
        for number in range(count):
            image = piece(photographs[number % 2], generator)
            files.append(cv2.imencode(".jpg", image)[1].tobytes())
            name = f"{number}.jpg"
            (folder / name).write_bytes(files[-1])
            encoded.put(record_key(number, name), encoded_datum(files[-1], number % 80))
            raw.put(record_key(number, name), image_to_datum(image, number % 80))
    (folder / "list.txt").write_text("".join(f"{number}.jpg {number % 80}\n" for number in range(count)))
    return files


def piece(photograph: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A random square of a photograph, blue first, at 256 x 256."""
    height, width = photograph.shape[:2]
    side = int(generator.integers(256, height))
    top, left = generator.integers(height - side + 1), generator.integers(width - side + 1)
    return cv2.resize(photograph[top : top + side, left : left + side, ::-1], (256, 256))


def bare_loop(files: list[bytes], workers: int, epochs: int) -> Callable[[], int]:
    """cv2.imdecode and cv2.resize to the net's size, in as many threads as the others have, and nothing else."""

    def decode(part: list[bytes]) -> None:
        for file in part:
            cv2.resize(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR), (CROP, CROP))

    def run() -> int:
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(decode, [files[start::workers] * epochs for start in range(workers)]))
        return len(files) * epochs

    return run


def make_layer(source: str, folder: Path) -> PrefetchingData:
    """One of our data layers, in the TRAIN phase."""
    text = SOURCES[source].replace("%s", str(folder)) + f' name: "data" top: "data" top: "label" {TRANSFORM}'
    parameter = text_format.Parse(text, caffe_pb2.LayerParameter())
    return create_layer(LayerSpec(parameter, "TRAIN", random_seed=1))


def settle(layer: PrefetchingData) -> None:
    """Waits until all is read ahead, before and after a run: so it pays for the batches that it takes."""
    for found in layer.prefetcher._pending:
        for part in found.result()[1]:
            part.result()


def to_bytes(layer: PrefetchingData, batches: int) -> Callable[[], int]:
    """Batches of bytes, as they leave for a GPU, which does the arithmetic."""

    def run() -> int:
        for _ in range(batches):
            layer.prefetcher.give_back(layer.prefetcher.take())
        settle(layer)
        return batches * BATCH

    return run


def to_floats(layer: PrefetchingData, batches: int) -> Callable[[], int]:
    """Tops as a net on the CPU gets them: mean and scale taken."""

    def run() -> int:
        for _ in range(batches):
            layer()
        settle(layer)
        return batches * BATCH

    return run


class PilImages(torch.utils.data.Dataset[tuple[torch.Tensor, int]]):
    """The same work as one would write it with PIL."""

    def __init__(self, folder: Path, count: int) -> None:
        self.files = [f"{folder}/{number}.jpg" for number in range(count)]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        image = PIL.Image.open(self.files[number]).convert("RGB")
        width, height = (int(256 * RATIOS[index]) for index in torch.randint(len(RATIOS), (2,)).tolist())
        left, top = (256 - width) // 2, (256 - height) // 2
        image = image.resize((CROP, CROP), PIL.Image.Resampling.BILINEAR, (left, top, left + width, top + height))
        if torch.rand(()) < 0.5:
            image = image.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float()
        return pixels - torch.tensor(MEAN).view(3, 1, 1), number % 80


def torch_loader(folder: Path, images: int, workers: int) -> Callable[[], int]:
    """torch.utils.data.DataLoader over PIL, its worker processes kept between epochs."""
    loader = torch.utils.data.DataLoader(
        PilImages(folder, images), BATCH, shuffle=True, num_workers=workers, drop_last=True, persistent_workers=True
    )

    def run() -> int:
        return sum(len(labels) for _, labels in loader)

    return run


def waiting_share(layer: PrefetchingData, images_a_second: float, steps: int = 8) -> float:
    """The share of a training step that waits for data, where a GPU trains this many images a second.

    The step is a sleep: a GPU leaves the cores to the pipeline.
    """
    step = BATCH / images_a_second
    layer.prefetcher.take()
    waited = 0.0
    for _ in range(steps):
        time.sleep(step)
        start = time.perf_counter()
        layer.prefetcher.give_back(layer.prefetcher.take())
        waited += time.perf_counter() - start
    return waited / (waited + step * steps)


def rate(run: Callable[[], int]) -> float:
    """Images a second."""
    start = time.perf_counter()
    return run() / (time.perf_counter() - start)


def measure(contenders: dict[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Every contender's rates, round by round, after one round that does not count."""
    for run in contenders.values():
        run()
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            rates[name].append(rate(run))
    return rates


def median_ratio(rates: dict[str, list[float]], name: str, base: str) -> float:
    """The median over rounds of one contender's rate by another's."""
    return statistics.median(own / other for own, other in zip(rates[name], rates[base], strict=True))


def report(rates: dict[str, list[float]], waiting: dict[str, float], workers: int) -> dict[str, Any]:
    """The table as a value: rates and ratios a contender, and where it was measured."""
    rows = {
        name: {
            "images/s": round(statistics.median(own)),
            "of the bare loop": round(median_ratio(rates, name, "bare loop"), 2),
            "of DataLoader + PIL": round(median_ratio(rates, name, "DataLoader + PIL"), 2),
        }
        for name, own in rates.items()
    }
    versions = {"python": platform.python_version(), "cv2": cv2.__version__, "torch": torch.__version__}
    machine = {"processor": platform.machine(), "cores": available_cores(), "workers": workers, **versions}
    return {"machine": machine, "rates": rows, "share of a step that waits": waiting}


def print_table(result: dict[str, Any]) -> None:
    """Prints what `report` made."""
    print(result["machine"])
    print(f"{'':38s}{'images/s':>10s}{'of bare loop':>14s}{'of PIL':>9s}")
    for name, row in result["rates"].items():
        print(f"{name:38s}{row['images/s']:10d}{row['of the bare loop']:14.2f}{row['of DataLoader + PIL']:9.2f}")
    for name, share in result["share of a step that waits"].items():
        print(f"waits for data, {name}: {share:.1%} of a step")


def main() -> None:
    """Writes the images, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, default=available_cores())
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = write_images(folder, arguments.images)
        # Layers of their own for bytes and floats: batches keep their memory.
        for_gpu, for_cpu = ({source: make_layer(source, folder) for source in SOURCES} for _ in range(2))
        batches = arguments.images * EPOCHS // BATCH
        contenders: dict[str, Callable[[], int]] = {
            "bare loop": bare_loop(files, arguments.workers, EPOCHS),
            "DataLoader + PIL": torch_loader(folder, arguments.images, arguments.workers),
        }
        for source in SOURCES:
            contenders[f"{source}, bytes for a GPU"] = to_bytes(for_gpu[source], batches)
            contenders[f"{source}, floats on the CPU"] = to_floats(for_cpu[source], batches)
        rates = measure(contenders, arguments.rounds)
        half = statistics.median(rates["encoded LMDB, bytes for a GPU"]) / 2
        waiting = {f"a GPU that takes {half:.0f} images/s": waiting_share(for_gpu["encoded LMDB"], half)}
        result = report(rates, waiting, arguments.workers)
        print_table(result)
        if arguments.json:
            arguments.json.write_text(json.dumps(result, indent=1) + "\n")
        for layer in (*for_gpu.values(), *for_cpu.values()):
            layer.close()


if __name__ == "__main__":
    main()
