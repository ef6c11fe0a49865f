"""The code blocks of a Markdown page, and what a comment right before a block says of it."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
#: Languages that are run, and those that only show something.
RUN, SHOWN = ("sh", "console", "python"), ("text", "prototxt", "json", "csv", "html")

_BLOCK = re.compile(
    r"(?P<comment><!-- not run: (?P<reason>[^\n]+?) -->\n)?^```(?P<language>[^\n]*)\n(?P<body>.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """One block: where it starts, its language, its text, and why it is not run ("" where it is)."""

    page: Path
    line: int
    language: str
    body: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Whether a test runs the block."""
        return self.language in RUN and not self.reason

    def command(self) -> list[str]:
        """The program that runs the block; of a console only the lines after the prompt are run."""
        if self.language == "python":
            return ["python", "-c", self.body]
        return ["bash", "-euo", "pipefail", "-c", _typed(self.body) if self.language == "console" else self.body]


def blocks_of(page: Path) -> list[Block]:
    """All blocks of a page, in order."""
    text = page.read_text()
    return [
        Block(
            page,
            text.count("\n", 0, match.start("language")) + 1,
            match["language"],
            match["body"],
            match["reason"] or "",
        )
        for match in _BLOCK.finditer(text)
    ]


def _typed(body: str) -> str:
    """What a user types: lines that start with `$ `, and lines that go on after a backslash."""
    typed: list[str] = []
    for line in body.splitlines():
        goes_on = bool(typed) and typed[-1].endswith("\\")
        if goes_on or line.startswith("$ "):
            typed.append(line.removeprefix("$ "))
    return "\n".join(typed)
