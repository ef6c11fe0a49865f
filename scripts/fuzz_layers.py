#!/usr/bin/env python
"""Builds and runs nets of one layer whose fields, bottoms and tops are changed by chance.

    scripts/fuzz_layers.py --seed 1 --count 5000

Every net must run, or end in one clear line (a CaffeError of at most 500 letters). The nets that end otherwise are
printed with their prototxt. The exit status is 0 without any, else 1. The memory limit of a net is 256 MiB here.
"""

import argparse
import contextlib
import logging
import os
import random
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from caffe_compat.catalogue.examples import example_of, write_files
from caffe_compat.errors import CaffeError
from caffe_compat.layers import layer_types
from caffe_compat.layers.new_blobs import VARIABLE
from caffe_compat.net.build import build_net
from caffe_compat.net.settings import Surroundings
from caffe_compat.proto import caffe_pb2

WHOLE = (0, 1, 2, 3, 5, 7, 255, 1000, 2**31 - 1, 2**31, 2**32 - 1, -1, -2, -(2**31))
REAL = (0.0, 1.0, -1.0, 0.5, 1e-30, 1e30, -1e30, float("nan"), float("inf"), -float("inf"))
SIZES = (1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 12)
LONGEST_MESSAGE = 500
LONGEST_RUN = 10  # seconds
#: Reads files, or runs the code of users: their bad input is fuzzed with the files.
LEFT_OUT = frozenset({"Python"})

Number = int | float


class Fuzzer:
    """Makes nets by chance; the same seed makes the same nets."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        self.types = [name for name in layer_types() if name not in LEFT_OUT]

    def net(self) -> caffe_pb2.NetParameter:
        """Inputs of random shapes, one layer of a random type, and with a chance of a half a second one behind it."""
        layer = example_of(self.random.choice(self.types), self.folder)
        self.change(layer)
        if layer.bottom and self.random.random() < 0.2:
            layer.bottom[:] = [f"bottom{index}" for index in range(self.random.randrange(5))]
        if layer.top and self.random.random() < 0.2:
            layer.top[:] = [f"top{index}" for index in range(self.random.randrange(4))]
        net = caffe_pb2.NetParameter(name="fuzz")
        shape = self.shape()
        for bottom in dict.fromkeys(layer.bottom):
            maker = net.layer.add(name=bottom, type="Input", top=[bottom])
            maker.input_param.shape.add(dim=shape if self.random.random() < 0.6 else self.shape())
        net.layer.add().CopyFrom(layer)
        net.force_backward = self.random.random() < 0.3
        return net

    def shape(self) -> list[int]:
        """Up to 6 axes of small sizes; sometimes a huge one, or one of 0."""
        shape = [self.random.choice(SIZES) for _ in range(self.random.choice((0, 1, 2, 2, 3, 4, 4, 4, 5, 6)))]
        if shape and self.random.random() < 0.05:
            shape[self.random.randrange(len(shape))] = self.random.choice((0, -1, 2**20, 2**31, 2**40))
        return shape

    def change(self, layer: caffe_pb2.LayerParameter) -> None:
        """Sets up to four fields of the layer's messages to other values, or takes them away."""
        messages = [message for field, message in layer.ListFields() if field.name.endswith("_param")]
        wanted = f"{layer.type}param".lower()
        for field in layer.DESCRIPTOR.fields:
            if field.name.replace("_", "") == wanted and getattr(layer, field.name) not in messages:
                messages.append(getattr(layer, field.name))
        for _ in range(self.random.randrange(5)):
            if messages:
                self.change_field(self.random.choice(messages))

    def change_field(self, message: Message) -> None:
        """One field of a message, or of a message within it."""
        field = self.random.choice(message.DESCRIPTOR.fields)
        repeated = isinstance(getattr(message, field.name), Sequence) and field.cpp_type != field.CPPTYPE_STRING
        repeated = repeated or (field.message_type is not None and hasattr(getattr(message, field.name), "add"))
        if self.random.random() < 0.15:
            message.ClearField(field.name)
        elif field.message_type is not None:
            inner = getattr(message, field.name).add() if repeated else getattr(message, field.name)
            inner.SetInParent()
            if inner.DESCRIPTOR.fields:
                self.change_field(inner)
        elif repeated:
            getattr(message, field.name).extend(self.value(field) for _ in range(self.random.randrange(4)))
        else:
            setattr(message, field.name, self.value(field))

    def value(self, field: FieldDescriptor) -> Number | str | bytes:
        """A value of the field's type, most often one that is hard to bear."""
        if field.enum_type is not None:
            return int(self.random.choice(field.enum_type.values).number)
        if field.cpp_type == field.CPPTYPE_BOOL:
            return self.random.random() < 0.5
        if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
            return self.random.choice(REAL)
        if field.type == field.TYPE_BYTES:
            return b"\xff\x00"
        if field.cpp_type == field.CPPTYPE_STRING:
            return self.random.choice(
                ("", "xavier", "gaussian", "uniform", "bilinear", "msra", "positive_unitball", "?")
            )
        unsigned = field.cpp_type in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64)
        large = field.cpp_type in (field.CPPTYPE_UINT64, field.CPPTYPE_INT64)
        most = 2**40 if large else 2**32 - 1 if unsigned else 2**31 - 1
        return self.random.choice([value for value in WHOLE if value <= most and (value >= 0 or not unsigned)])


def outcome(net: caffe_pb2.NetParameter, phase: str) -> str:
    """`ran`, `refused` with one clear line, or what else happened, with the place in our code."""
    parameter = caffe_pb2.NetParameter()
    parameter.CopyFrom(net)
    parameter.state.phase = caffe_pb2.Phase.Value(phase)
    signal.alarm(LONGEST_RUN)
    try:
        made = build_net(parameter, parameter.state, Surroundings(random_seed=1))
        try:
            last = len(made.steps) - 1
            made.forward_range(0, last)
            if parameter.force_backward:
                made.backward_range(last, 0)
        finally:
            made.close()
    except CaffeError as error:
        text = str(error)
        fine = "\n" not in text and len(text) <= LONGEST_MESSAGE and text.isprintable()
        return "refused" if fine else f"a message of {len(text)} letters: {text[:200]!r}"
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "caffe_compat" in frame.filename]
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "outside"
        return f"{type(error).__name__} at {place}: {str(error).splitlines()[0][:160] if str(error) else ''}"
    finally:
        signal.alarm(0)
    return "ran"


def run(seed: int, count: int) -> Counter[str]:
    """Tries this many nets; prints each kind of surprise once. The result counts outcomes."""
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):  # HDF5Output may write to any name
        write_files(Path(folder))
        fuzzer = Fuzzer(seed, Path(folder))
        for _ in range(count):
            net = fuzzer.net()
            found = outcome(net, fuzzer.random.choice(("TRAIN", "TEST")))
            counts[found if found in ("ran", "refused") else "surprise"] += 1
            if found not in ("ran", "refused"):
                kind = found.split(": ")[0]
                counts[f"  {kind}"] += 1
                if counts[f"  {kind}"] == 1:
                    print(f"--- {found}\n{text_format.MessageToString(net, as_one_line=True)[:1500]}", flush=True)
    return counts


def _too_long(number: int, frame: object) -> None:
    raise TimeoutError(f"over {LONGEST_RUN} s")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; 1 where any net ended in a surprise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=2000)
    arguments = parser.parse_args(argv)
    signal.signal(signal.SIGALRM, _too_long)
    logging.getLogger("caffe_compat").setLevel(logging.CRITICAL)
    os.environ.setdefault(VARIABLE, "256M")
    counts = run(arguments.seed, arguments.count)
    for name, number in counts.most_common():
        print(f"{number:7d} {name}")
    return int(counts["surprise"] > 0)


if __name__ == "__main__":
    raise SystemExit(main())
