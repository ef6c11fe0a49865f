"""docs/layers.md is what the registry says now."""

from pathlib import Path

from caffe_compat.catalogue.examples import FIELDS
from caffe_compat.catalogue.page import KNOWN_TO, markdown
from caffe_compat.layers import layer_types

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_fresh() -> None:
    assert (ROOT / "docs" / "layers.md").read_text() == markdown(), "run scripts/generate"


def test_tables_name_types_that_exist() -> None:
    assert set(KNOWN_TO) | set(FIELDS) <= set(layer_types())
