"""Command lines: spellings, nearest names, defaults."""

import argparse

import pytest

from caffe_compat.cli.flags import whole_number
from caffe_compat.cli.parser import BooleanAction, CommandParser, HelpFormatter, UsageError


def parser() -> CommandParser:
    result = CommandParser("program", "What it does.", formatter_class=HelpFormatter)
    result.add_argument("--model", default="", help="a net")
    result.add_argument("--iterations", type=whole_number(), default=50, help="how often")
    result.add_argument("--gray", action=BooleanAction, help="one channel")
    result.add_argument("--shuffle", action=BooleanAction, default=True, help="another order")
    result.add_argument("--allow_python_layers", action=BooleanAction, help="runs code")
    result.add_argument("--only-wrong", action="store_true", help="less")
    result.add_argument("--names", nargs="+", help="some")
    result.add_argument("rest", nargs="*")
    return result


@pytest.mark.parametrize(
    "arguments",
    [
        ["-model", "m", "-iterations=7", "-gray"],
        ["--model=m", "--iterations", "7", "--gray=true"],
        ["--iterations=7", "--nogray", "-gray=1", "-model=m"],
        ["--iter=7", "--no-gray", "--gray=yes", "-model=m"],
    ],
)
def test_every_spelling(arguments: list[str]) -> None:
    values = parser().parse_args(arguments)
    assert (values.model, values.iterations, values.gray, values.shuffle) == ("m", 7, True, True)
    assert values.rest == []


def test_two_dashes_end_the_flags() -> None:
    values = parser().parse_args(["-noshuffle", "root/", "list", "-", "--", "-model"])
    assert values.rest[-1] == "-model"
    assert values.shuffle is False


@pytest.mark.parametrize("written", ["--allow-python-layers", "--allow_python_layers", "-allow-python_layers"])
def test_dashes_and_underscores_are_alike(written: str) -> None:
    assert parser().parse_args([written]).allow_python_layers is True
    assert parser().parse_args(["--only_wrong"]).only_wrong is True


def test_a_value_may_hold_an_equals_sign_and_start_with_a_dash() -> None:
    assert parser().parse_args(["--model=a=b"]).model == "a=b"
    assert parser().parse_args(["--iterations", "-3"]).iterations == -3
    assert parser().parse_args(["--model", "--x"]).model == "--x"


def test_several_values() -> None:
    assert parser().parse_args(["--names", "a", "b", "--gray"]).names == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--modle=x"], r"^unknown flag '--modle'; did you mean '--model'\?"),
        (["--qqq"], r"^unknown flag '--qqq'; known: -h, --model, --iterations"),
        (["--nomodel"], r"^unknown flag '--nomodel'"),
        (["--model"], r"^flag '--model' is missing its argument; write --model=VALUE"),
        (["--iterations=many"], r"^argument --iterations: expected a whole number, found 'many'"),
        (["--gray=maybe"], r"^flag '--gray': expected true or false, found 'maybe'"),
    ],
)
def test_wrong_command_lines(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parser().parse_args(arguments)


def test_unexpected_arguments_and_choices() -> None:
    strict = CommandParser("program", "What it does.")
    strict.add_argument("--engine", choices=("exact", "fast"))
    with pytest.raises(UsageError, match=r"^unexpected argument 'a'"):
        strict.parse_args(["a"])
    with pytest.raises(UsageError, match=r"^argument --engine: invalid choice: 'fsat' .*; did you mean 'fast'\?"):
        strict.parse_args(["--engine=fsat"])


def test_subcommands_have_flags_of_their_own() -> None:
    whole = CommandParser(prog="program")
    part = whole.add_subparsers(dest="which").add_parser("own")
    part.add_argument("--batch_size", type=int, default=48, help="images")
    assert "images (default: 48)" in part.format_help()
    assert whole.parse_args(["own", "-batch-size", "3"]).batch_size == 3
    with pytest.raises(UsageError, match=r"^unknown flag '--batchsize'; did you mean '--batch_size'\?"):
        whole.parse_args(["own", "--batchsize", "3"])


def test_help_shows_defaults() -> None:
    text = " ".join(parser().format_help().split())
    assert "--iterations ITERATIONS how often (default: 50)" in text
    assert "--model MODEL a net --iterations" in text


@pytest.mark.parametrize(("least", "text"), [(1, "0"), (None, "1.5"), (0, "-1"), (0, "x")])
def test_whole_numbers(least: int | None, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=rf"found '{text}'"):
        whole_number(least)(text)
    assert whole_number(least)("7") == 7


def test_a_whole_number_that_no_field_holds_is_refused() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"^expected a whole number, at most 9223372036854775807"):
        whole_number()("9223372036854775808")
    with pytest.raises(argparse.ArgumentTypeError, match=r"^expected a whole number from 1 on, at most 1024, found"):
        whole_number(1, most=1024)("2048")
    with pytest.raises(argparse.ArgumentTypeError, match=r"^expected a whole number, found '-6'"):
        whole_number(most=4)("-6")
