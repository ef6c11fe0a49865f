"""Draws docs/pictures/architecture.svg: the packages of caffe_compat in layers, from the imports of their files.

    python scripts/draw_architecture.py

A package stands above all packages that it imports. The test of imports says which are allowed.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "pictures" / "architecture.svg"
BOX, GAP, ROW = (190, 58), 18, 82
STYLE = (
    "text{font:600 14px system-ui,sans-serif;fill:#16202c;text-anchor:middle}"
    ".below{font-weight:400;font-size:11px;fill:#475467}"
    "rect{fill:#dfe9f7;stroke:#5b7aa6}svg{background:#fff}"
)


def imports_between_packages() -> dict[str, set[str]]:
    """Returns, for each package, the packages of caffe_compat that its files import."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for file in sorted((ROOT / "caffe_compat").rglob("*.py")):
        own = file.relative_to(ROOT / "caffe_compat").with_suffix("").parts[0]
        if own.startswith("__"):
            continue
        found[own].update(name for name in _imported(file) if name != own)
    return {own: others & set(found) for own, others in found.items()}


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        yield from (name.split(".")[1] for name in names if name.startswith("caffe_compat."))


def levels(imports: Mapping[str, set[str]]) -> dict[str, int]:
    """Returns the level of each package: one above the highest that it imports.

    Packages that import each other would share a level.
    """
    level = dict.fromkeys(imports, 0)
    for _ in imports:
        for own, others in imports.items():
            below = [level[other] + 1 for other in others if own not in imports[other]]
            level[own] = max([level[own], *below])
    return level


def picture(imports: Mapping[str, set[str]]) -> str:
    """Returns the SVG: foundations at the bottom; each box says what its package imports, but for what that implies."""
    level = levels(imports)
    rows = [sorted(name for name in level if level[name] == number) for number in range(max(level.values()) + 1)]
    width = max(len(row) for row in rows) * (BOX[0] + GAP) + GAP
    height = len(rows) * ROW + GAP
    boxes = [
        _box(
            name,
            sorted(_direct(name, imports)),
            int(width / 2 + (index - (len(row) - 1) / 2) * (BOX[0] + GAP)),
            height - GAP - BOX[1] - number * ROW,
        )
        for number, row in enumerate(rows)
        for index, name in enumerate(row)
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
    title = "<title>The packages of caffe_compat: each imports only what lies below it</title>"
    return "\n".join([head, title, f"<style>{STYLE}</style>", *boxes, "</svg>"]) + "\n"


def _direct(own: str, imports: Mapping[str, set[str]]) -> set[str]:
    """The imports that do not follow from another import of the same package."""
    implied = {further for other in imports[own] for further in _all_below(other, imports, {own})}
    return imports[own] - implied


def _all_below(name: str, imports: Mapping[str, set[str]], seen: set[str]) -> set[str]:
    below: set[str] = set()
    for other in imports[name] - seen:
        below |= {other} | _all_below(other, imports, seen | {name, other})
    return below


def _box(name: str, below: list[str], x: int, y: int) -> str:
    left = x - BOX[0] // 2
    lines = [f'<rect x="{left}" y="{y}" width="{BOX[0]}" height="{BOX[1]}" rx="7"/>']
    lines.append(f'<text x="{x}" y="{y + (26 if below else 34)}">{escape(name)}</text>')
    if below:
        lines.append(f'<text class="below" x="{x}" y="{y + 45}">on {escape(", ".join(below))}</text>')
    return "".join(lines)


def main() -> None:
    """Writes the picture."""
    PICTURE.write_text(picture(imports_between_packages()), encoding="utf-8")


if __name__ == "__main__":
    main()
