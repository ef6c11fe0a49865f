"""What the documentation site does with its pages before they become HTML.

The pages are read in the repository as well, where links to any file work. On the site a link that leads out of docs/
becomes the file's name. A comment such as `<!-- README: Install -->` becomes that section of README.
"""

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
#: A Markdown link to a file outside of docs/, such as [conv.py](../caffe_compat/layers/vision/conv.py).
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+([^)#]+)(?:#[^)]*)?\)")
#: What the theme would load from the network where a page is opened from the disk.
SEARCH_SCRIPT = "https://unpkg.com/iframe-worker/shim"
#: A request for a section of README.
SECTION = re.compile(r"^<!-- README: (.+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Returns the page's text with sections of README filled in, and without links that the site cannot follow."""
    filled = SECTION.sub(lambda asked: readme_section(asked[1]), markdown)
    return OUTSIDE.sub(lambda link: f"`{link[2]}`" if link[1] in link[2] else f"{link[1]} (`{link[2]}`)", filled)


def readme_section(title: str) -> str:
    """Returns the text below a heading of README, up to the next heading of its level; links count from docs/.

    Raises ValueError for a heading that README does not have.
    """
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"README.md has no section '{title}'")
    inside = found[1].replace("](docs/", "](")
    return re.sub(r"\]\((?!\w+\.md|https?:|#|\w+\.png)([\w./-]+)\)", r"](../\1)", inside)


def on_post_page(output: str, **_: Any) -> str:
    """Returns the page's HTML without the script that the theme would load from the network for its search."""
    return output.replace(SEARCH_SCRIPT, "site/worker_from_disk.js")


def on_post_template(output_content: str, **_: Any) -> str:
    """Returns the HTML of a page that is not made from Markdown, such as 404.html, changed like the others."""
    return on_post_page(output_content)
