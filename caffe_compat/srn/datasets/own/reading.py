"""The flags that decide where a user's annotations can be read in two ways."""

import argparse
import dataclasses
from dataclasses import dataclass

#: Names of separators on the command line. None stands for cells that hold one label each.
SEPARATORS: dict[str, str | None] = {
    "space": " ",
    "comma": ",",
    "semicolon": ";",
    "bar": "|",
    "none": None,
}


def _flag(text: str, *choices: str) -> str:
    default: str = dataclasses.field(default="", metadata={"help": text, "choices": choices})
    return default


@dataclass(frozen=True)
class Reading:
    """How annotations are read. An empty value means: as the content shows, or an error where it does not."""

    separator: str = _flag("the separator in a cell of several labels", *SEPARATORS)
    label_cells: str = _flag("numbers in cells are label names, or values (1, 0, -1) of labels", "names", "values")
    minus_one: str = _flag("the meaning of -1; with absent, 0 means unknown", "absent", "unknown")
    empty: str = _flag("the meaning of an empty cell", "absent", "unknown")
    repeats: str = _flag(
        "labels in which rows of one image differ: present if any row says so, unknown, or as the last row says",
        "present", "unknown", "last",
    )  # fmt: skip
    crowd: str = _flag("crowd annotations in MS-COCO's form: count as labels (default) or not", "keep", "drop")
    not_labels: tuple[str, ...] = ()

    def given(self) -> dict[str, str]:
        """The flags that are set, by name."""
        return {name: str(value) for name, value in vars(self).items() if value}


def add_reading_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each field of Reading."""
    group = parser.add_argument_group("how annotations are read (default: as the content shows, or an error)")
    for field in dataclasses.fields(Reading):
        flag = f"--{field.name.replace('_', '-')}"
        if field.metadata:
            choices = field.metadata["choices"]
            group.add_argument(flag, choices=choices, default="", help=field.metadata["help"])
    group.add_argument("--not-labels", nargs="+", default=(), metavar="COLUMN", help="columns that are no labels")


def reading_of(arguments: argparse.Namespace) -> Reading:
    """The Reading that a command line gives."""
    given = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(Reading)}
    return Reading(**given | {"not_labels": tuple(arguments.not_labels)})
