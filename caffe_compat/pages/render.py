"""Fills the templates of HTML pages. Text is escaped; only `Markup` is taken as HTML."""

import base64
import functools
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from caffe_compat.proto.file_bytes import replacing

__all__ = ["Markup", "data_uri", "render", "write_page"]

#: First bytes of a picture file, and its media type.
_MEDIA_TYPES = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"<svg": "image/svg+xml",
    b"<?xm": "image/svg+xml",
}


def render(template: str, **values: object) -> str:
    """The page that `templates/<template>` gives with these values; a value that is missing is an error.

    Every template that extends base.html has `title` and the style sheet.
    """
    return _environment().get_template(template).render(**values) + "\n"


def write_page(path: Path, template: str, **values: object) -> None:
    """Renders a page into a file, whole or not at all."""
    with replacing(path) as beside:
        beside.write_text(render(template, **values), encoding="utf-8")


def data_uri(picture: bytes | Path) -> str:
    """A PNG, JPEG or SVG as the `src` of an image, so that the page needs no other file."""
    content = picture if isinstance(picture, bytes) else picture.read_bytes()
    media = next((media for start, media in _MEDIA_TYPES.items() if content.startswith(start)), "image/png")
    return f"data:{media};base64,{base64.b64encode(content).decode()}"


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("caffe_compat.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["data_uri"] = data_uri
    return environment
