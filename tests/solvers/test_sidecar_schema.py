"""A damaged .resume.json is one error, which says how to go on without it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from caffe_compat.errors import CaffeError, FormatError
from caffe_compat.solvers.sidecar_schema import check_layer_state
from tests.solvers.least_squares import make_solver

Content = dict[str, Any]
CURE = "remove the file to resume with the place in the data and random states anew"


@pytest.fixture
def sidecar(tmp_path: Path) -> Path:
    make_solver(f'base_lr: 0.1 snapshot_prefix: "{tmp_path}/s"').snapshot()
    return tmp_path / "s_iter_0.resume.json"


def restore(sidecar: Path) -> None:
    make_solver("base_lr: 0.1").restore(str(sidecar.with_name("s_iter_0.solverstate")))


def random_of(content: Content) -> Content:
    random: Content = content["processes"][0]["random"]
    return random


CHANGES: list[tuple[Callable[[Content], object], str]] = [
    (lambda c: c.pop("schedule"), "the file has no 'schedule'"),
    (lambda c: c.update(more=1), "the file has an unknown 'more'"),
    (lambda c: c.update(weights_sha256="12"), "weights_sha256: expected a SHA-256 checksum, found '12'"),
    (lambda c: c.update(solver=[]), r"solver: expected text, found \[\]"),
    (lambda c: c.update(solver="base_lr: x"), "solver: 1:10 : "),
    (lambda c: c.update(processes={}), "processes: expected a list"),
    (lambda c: c["processes"].__setitem__(0, 7), r"processes\[0\]: expected an object, found 7"),
    (lambda c: c["schedule"].update(iteration=-1), "schedule: iteration: expected a whole number from 0"),
    (lambda c: c["schedule"].update(iteration=True), "schedule: iteration: expected a whole number from 0"),
    (lambda c: c["schedule"].update(lowest_test_loss="low"), "schedule: lowest_test_loss: expected a number"),
    (lambda c: random_of(c).pop("numpy"), r"processes\[0\].random has no 'numpy'"),
    (lambda c: random_of(c).update(torch="AAAA"), "random states: "),
    (lambda c: random_of(c).update(torch="?"), r"random.torch: expected bytes in base64, found '\?'"),
    (lambda c: random_of(c)["numpy"][1].pop(), r'random.numpy: expected \["MT19937", 624 words'),
    (lambda c: random_of(c)["numpy"].__setitem__(2, 10**9), r"random.numpy: expected"),
    (lambda c: random_of(c)["python"][1].__setitem__(624, 10**6), r"random.python: expected \[3, 625 words"),
    (lambda c: c["processes"][0].update(layers=[3]), r"layers: expected an object, found 3"),
    (lambda c: c["processes"][0].update(layers=[{"ip": 3}]), r"layers: expected an object, found 3"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES)
def test_what_is_wrong_is_named(change: Callable[[Content], object], words: str, sidecar: Path) -> None:
    content = json.loads(sidecar.read_text())
    change(content)
    sidecar.write_text(json.dumps(content))
    with pytest.raises(FormatError, match=rf"^{sidecar}: expected what this program writes.*\({'.*' + words}") as error:
        restore(sidecar)
    assert str(error.value).endswith(CURE)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested too deep"),
        ('{"a": ', "Expecting value"),
        ("[]", r"the file: expected an object, found \[\]"),
        ("1" * 5000, "Exceeds the limit"),
        ('\udcff{"a"', "codec can't decode"),
    ],
)
def test_other_text_is_refused(text: str, words: str, sidecar: Path) -> None:
    sidecar.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(FormatError, match=rf"^{sidecar}: .*{words}.*{CURE}$"):
        restore(sidecar)


def test_a_folder_in_its_place_is_refused(sidecar: Path) -> None:
    sidecar.unlink()
    sidecar.mkdir()
    with pytest.raises(CaffeError, match="found a folder"):
        restore(sidecar)


def test_the_cure_works(sidecar: Path) -> None:
    sidecar.unlink()
    restore(sidecar)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "has no 'next'"),
        ({"next": 1.5, "seed": 3}, "next: expected a whole number from 0 to 281474976710655, found 1.5"),
        ({"next": 2**48, "seed": 3}, "next: expected a whole number"),
        ({"next": 1, "seed": -1}, "seed: expected a whole number from 0 to 9223372036854775807, found -1"),
        ({"next": 1, "seed": 3, "x": 0}, "has an unknown 'x'"),
    ],
)
def test_a_layers_state_has_the_entries_of_its_own(given: Content, words: str) -> None:
    with pytest.raises(FormatError, match=rf"^s: expected .*\(the state of layer 'data'.*{words}"):
        check_layer_state(Path("s"), "data", given, {"next": 0, "seed": 7})
    check_layer_state(Path("s"), "data", {"next": 5, "seed": 2**62}, {"next": 0, "seed": 7})
    check_layer_state(Path("s"), "rnn", {"states": []}, {})


def test_arrays_keep_their_lengths() -> None:
    known = {"states": [[0.0, 0.0], [0.0, 0.0]], "name": "a"}
    check_layer_state(Path("s"), "rnn", {"states": [[1.0, 2], [3, 4]], "name": "b"}, known)
    for wrong, words in (([[1.0, 2]], "a list of 2"), ([[1, 2], [3, "4"]], "a number"), (None, "a list of 2")):
        with pytest.raises(FormatError, match=rf"states: expected {words}"):
            check_layer_state(Path("s"), "rnn", {"states": wrong, "name": "b"}, known)
    with pytest.raises(FormatError, match="name: expected str, found 4"):
        check_layer_state(Path("s"), "rnn", {"states": known["states"], "name": 4}, known)
