"""The text of docs/forks.md: what other Caffes mean by a type or field, and how this runtime treats it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from caffe_compat.layers.registry import facts_of, layer_types
from caffe_compat.proto.blobs import RAW_TYPES
from caffe_compat.proto.foreign.fields import NO_EFFECT, REFUSED, UNUSED_AT
from caffe_compat.proto.foreign.types import FOREIGN_TYPES, V1_WORDS

HEADER = """# Files of other Caffes

Made from the code by `scripts/generate`; do not edit.

Text is read by names. A word that the schema does not know is left out with a warning where it changes no prediction,
and otherwise is an error that names the Caffe that has it. All such words of a file are listed at once.
"""
#: Results of `scripts/try_nets.py --json` for published nets.
RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "public_nets.json"


def forks_page() -> str:
    """The text of the whole page; every call returns the same text."""
    return "\n".join([HEADER, *_meanings(), *_numbers(), *_types(), *_fields(), *_tried()])


def _meanings() -> Iterable[str]:
    yield "## The same type, another meaning\n"
    yield "| Type | In | It computes | A net shows it by | Here |"
    yield "| --- | --- | --- | --- | --- |"
    for name in layer_types():
        for meaning in facts_of(name).meanings:
            yield f"| {name} | {meaning.caffes} | {meaning.computes} | {meaning.told_by} | {meaning.here} |"
    yield ""


def _numbers() -> Iterable[str]:
    yield "## Numbers\n"
    yield (
        "In weights, solver states and mean files, of V1 and today: `data` and `double_data`, packed or not; "
        f"`raw_data` (NVIDIA's Caffe, OpenCV) of the types {', '.join(RAW_TYPES)}; the blobs of C3D 1.0, "
        "which have five sizes. HDF5 files of any number type. All become float32.\n"
    )


def _types() -> Iterable[str]:
    yield "## Types that are not here\n"
    yield "| Type | In | What to do |"
    yield "| --- | --- | --- |"
    for name, foreign in sorted(FOREIGN_TYPES.items(), key=lambda item: item[0].lower()):
        yield f"| {name} | {foreign.caffe} | {foreign.cure} |"
    words = ", ".join(f"`{word}` ({name})" for word, name in V1_WORDS.items())
    yield f"\nV1 layers of other Caffes are read as today's: {words}.\n"


def _fields() -> Iterable[str]:
    yield "## Fields that change no prediction, and are left out\n"
    yield from _by_caffe(NO_EFFECT)
    yield "## Fields that are refused\n"
    yield from _by_caffe(REFUSED)
    yield "At the value that means that they are not used, these are left out, too:\n"
    yield from (f"- {value}: {', '.join(f'`{name}`' for name in sorted(names))}" for value, names in UNUSED_AT.items())
    yield ""


def _by_caffe(fields: Mapping[str, Iterable[str]]) -> Iterable[str]:
    yield "| In | Fields |"
    yield "| --- | --- |"
    for caffe, names in sorted(fields.items(), key=lambda item: item[0].lower()):
        yield f"| {caffe} | {', '.join(f'`{name}`' for name in sorted(names))} |"
    yield ""


def _tried() -> Iterable[str]:
    results: dict[str, dict[str, str]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    loaded = [steps for steps in results.values() if steps.get("load") == "ok"]
    further = [steps for steps in loaded if len(steps) > 1]
    whole = [steps for steps in further if all(outcome == "ok" for outcome in steps.values())]
    yield "## Public nets that were tried\n"
    unfinished = [steps for steps in further if any(outcome.startswith("not finished") for outcome in steps.values())]
    yield (
        f"`scripts/try_nets.py` built {len(results)} deploy and test nets of public repositories; {len(loaded)} load. "
        f"{len(further)} of these, some with their released weights, went on to safetensors, ONNX (checked with "
        "onnxruntime) and a comparison with OpenCV, with images of at most 224 pixels a side where no weight depends "
        f"on it: {len(whole)} passed all, and {len(unfinished)} did not finish in time. The heaviest nets, "
        "and some like those that passed, were left out of these further steps. What failed:\n"
    )
    yield "| Net | Step | Why |"
    yield "| --- | --- | --- |"
    for name, steps in sorted(results.items()):
        for step, outcome in steps.items():
            if outcome != "ok":
                yield f"| {name} | {step} | {outcome.replace('|', '/')} |"
    yield ""
