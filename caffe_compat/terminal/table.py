"""Tables on the terminal, drawn by rich; plain aligned columns where the output is a file or a pipe."""

import sys
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Wide enough for every row where the output is no terminal: nothing is wrapped or cut in a file.
FILE_WIDTH = 10_000


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str] = ()) -> None:
    """Prints one row per entry of `rows`; columns named in `numbers` are aligned to the right."""
    is_terminal = sys.stdout.isatty()
    table = Table(box=SIMPLE_HEAD if is_terminal else None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", no_wrap=not is_terminal)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(width=None if is_terminal else FILE_WIDTH, highlight=False)
    with console.capture() as drawn:
        console.print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in drawn.get().splitlines()))
