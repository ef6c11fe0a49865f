"""Flags are read as gflags reads them."""

import pytest

from caffe_compat.cli.flags import Flag, FlagError, HelpRequested, describe, parse_flags

FLAGS = (
    Flag("model", "", "a net"),
    Flag("iterations", 50, "how often"),
    Flag("gray", False, "one channel"),
    Flag("shuffle", True, "another order"),
    Flag("allow_python_layers", False, "runs code"),
)


@pytest.mark.parametrize(
    "arguments",
    [
        ["-model", "m", "-iterations=7", "-gray"],
        ["--model=m", "--iterations", "7", "--gray=true"],
        ["--iterations=7", "--nogray", "-gray=1", "-model=m"],
    ],
)
def test_every_spelling(arguments: list[str]) -> None:
    values, rest = parse_flags(arguments, FLAGS)
    assert (values.model, values.iterations, values.gray, values.shuffle) == ("m", 7, True, True)
    assert rest == []


def test_arguments_stand_anywhere_and_two_dashes_end_the_flags() -> None:
    values, rest = parse_flags(["root/", "-noshuffle", "list", "-", "--", "-model"], FLAGS)
    assert rest == ["root/", "list", "-", "-model"]
    assert values.shuffle is False


def test_dashes_within_a_name_are_underscores() -> None:
    assert parse_flags(["--allow-python-layers"], FLAGS)[0].allow_python_layers is True


def test_a_value_may_hold_an_equals_sign_and_start_with_a_dash() -> None:
    assert parse_flags(["--model=a=b"], FLAGS)[0].model == "a=b"
    assert parse_flags(["--iterations", "-3"], FLAGS)[0].iterations == -3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--modle=x"], r"^unknown command line flag 'modle'; known: --model, --iterations"),
        (["--nomodel"], r"^unknown command line flag 'nomodel'"),
        (["--model"], r"^flag '--model' is missing its argument; write --model=VALUE"),
        (["--iterations=many"], r"^flag '--iterations': expected a whole number, got 'many'"),
        (["--gray=maybe"], r"^flag '--gray': expected true or false, got 'maybe'"),
    ],
)
def test_wrong_command_lines(arguments: list[str], message: str) -> None:
    with pytest.raises(FlagError, match=message):
        parse_flags(arguments, FLAGS)


@pytest.mark.parametrize("argument", ["--help", "-h"])
def test_help(argument: str) -> None:
    with pytest.raises(HelpRequested):
        parse_flags(["x", argument], FLAGS)


def test_an_unknown_value_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match=r"^engine"):
        _ = parse_flags([], FLAGS)[0].engine


def test_describe_shows_defaults() -> None:
    lines = describe(FLAGS).splitlines()
    assert lines[:3] == [
        '  --model (a net) default: ""',
        "  --iterations (how often) default: 50",
        "  --gray (one channel) default: false",
    ]
