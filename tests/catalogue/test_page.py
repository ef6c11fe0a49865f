"""What is made from the registry of layers says what the registry says now."""

from pathlib import Path

from caffe_compat.catalogue.known_types import source
from caffe_compat.catalogue.page import markdown

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_fresh() -> None:
    assert (ROOT / "docs" / "layers.md").read_text() == markdown(), "run scripts/generate"


def test_the_table_of_known_types_is_fresh() -> None:
    assert (ROOT / "caffe_compat" / "proto" / "dialects" / "layer_types.py").read_text() == source(), (
        "run scripts/generate"
    )
