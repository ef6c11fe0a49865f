"""Runs record_blobs.py in another Python that has a pycaffe."""

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from caffe_compat.errors import MissingFeatureError
from caffe_compat.parity.recording import Array, Recording, read_recording

#: Start of a glog line that says why the process ends.
FATAL = re.compile(r"F\d{4}")


@dataclass(frozen=True)
class PycaffeProcess:
    """A Python with pycaffe: its command, the script to run, and options for the script (where its Caffe is)."""

    python: str
    script: str
    options: Sequence[str] = ()

    def record_net(
        self,
        prototxt: str,
        weights: str | None,
        phase: str,
        inputs: Mapping[str, Array],
        seeds: Mapping[str, Array] | None = None,
    ) -> Recording:
        """Records one pass of a net on our inputs; with `seeds` (empty for nets with losses) also runs backward."""
        arrays: dict[str, Any] = {f"in/{name}": values for name, values in inputs.items()}
        arrays |= {f"out_diff/{name}": values for name, values in (seeds or {}).items()}
        with tempfile.TemporaryDirectory() as folder:
            np.savez(f"{folder}/inputs.npz", **arrays)
            arguments = ["--prototxt", prototxt, "--phase", phase, "--inputs", f"{folder}/inputs.npz"]
            arguments += ["--backward"] if seeds is not None else []
            return self._record([*arguments, *_weights(weights)], folder)

    def record_training(self, solver: str, weights: str | None, iterations: int) -> Recording:
        """Records a training of so many iterations."""
        with tempfile.TemporaryDirectory() as folder:
            arguments = ["--solver", solver, "--iterations", str(iterations)]
            return self._record([*arguments, *_weights(weights)], folder)

    def _record(self, arguments: Sequence[str], folder: str) -> Recording:
        dump = f"{folder}/dump.npz"
        command = [self.python, self.script, *arguments, *self.options, dump]
        try:
            process = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        except OSError as error:
            raise MissingFeatureError(f"{self.python}: cannot be run as a Python: {error}") from error
        if process.returncode or not Path(dump).exists():
            said = _last_words(process.stderr)
            raise MissingFeatureError(
                f"{self.python}: expected record_blobs.py to record the run, it ended with status "
                f"{process.returncode}: {' | '.join(said)}"
            )
        recording = read_recording(dump)
        recording.source = recording.source.partition(" (/")[0]
        return recording


def _last_words(stderr: str) -> list[str]:
    """Returns the log line of the CHECK that ended Caffe, or else the last lines."""
    lines = stderr.strip().splitlines()
    return [line for line in lines if FATAL.match(line)][-1:] or lines[-3:] or ["nothing on stderr"]


def _weights(path: str | None) -> list[str]:
    return [] if path is None else ["--weights", path]
