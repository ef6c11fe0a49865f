"""The nets that a page or a table shows: from a prototxt, a weights file, or a folder of training steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from caffe_compat.convert.formats.read import read_model
from caffe_compat.convert.forms.deploy_form import deploy_form
from caffe_compat.convert.model import Model, file_in_errors, require_structure
from caffe_compat.convert.report import ConversionReport
from caffe_compat.errors import FormatError
from caffe_compat.layers.base import Shape
from caffe_compat.proto.read import read_net
from caffe_compat.view.layer_facts import LayerFacts, layer_facts, phases
from caffe_compat.view.net_graph import net_graph

#: How many names a note lists.
SHOWN_NAMES = 5
#: File names of nets in a folder of the generator's.
NETS = ("*trainval.prototxt", "*test.prototxt")


@dataclass(frozen=True)
class Variant:
    """One way to see the net: a phase of a file, with the facts of its layers."""

    label: str
    facts: Sequence[LayerFacts]


@dataclass(frozen=True)
class ShownNet:
    """A net with all its variants, its weights where a file gives them, and what the reader should know."""

    title: str
    variants: Sequence[Variant]
    weights: Model | None
    notes: Sequence[str] = ()


def read_shown_net(path: Path, weights: Path | None = None, given: Mapping[str, Shape] | None = None) -> ShownNet:
    """The net of a prototxt, of a weights file by itself, or of all nets in a folder.

    `given` maps inputs to shapes where no file tells them. Raises FormatError for a folder without nets, and CaffeError
    for files that cannot be read.
    """
    if path.is_file() and not _is_text(path):
        return _of_weights_file(path, given or {})
    model = read_model(str(weights)) if weights else None
    files = _files(path)
    variants = [variant for file in files for variant in _variants(file, len(files) > 1, given)]
    return ShownNet(path.name, variants, model, _unfilled(model, variants[0]) if model else [])


def _variants(file: Path, is_one_of_several: bool, given: Mapping[str, Shape] | None) -> list[Variant]:
    """The net of a prototxt in each of its phases. Errors name the file."""
    with file_in_errors(str(file)):
        net = read_net(str(file))
        return [
            Variant(_label(file, phase, is_one_of_several), layer_facts(net_graph(net, phase, given)))
            for phase in phases(net)
        ]


def _of_weights_file(path: Path, given: Mapping[str, Shape]) -> ShownNet:
    """A weights file by itself: the net that predicts, as `convert --to prototxt` would write it."""
    model = read_model(str(path))
    require_structure(model, "a picture")
    report = ConversionReport(model)
    deployed = deploy_form(model, dict(given), report)
    variant = Variant("TEST", layer_facts(net_graph(deployed.net, "TEST")))
    return ShownNet(path.name, [variant], model, report.notes)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted({file for pattern in NETS for file in path.glob(pattern)})
    if not found:
        raise FormatError(f"{path}: expected nets in this folder ({', '.join(NETS)}), found none; name a file instead")
    return found


def _is_text(path: Path) -> bool:
    return path.suffix in (".prototxt", ".txt", ".prototext", ".pt2")


def _label(file: Path, phase: str, several: bool) -> str:
    return f"{file.stem}, {phase}" if several else phase


def _unfilled(model: Model, variant: Variant) -> list[str]:
    """A note on the layers that the weights do not fill."""
    lacking = [fact.name for fact in variant.facts if fact.parameters and fact.name not in model.blobs]
    if not lacking:
        return []
    more = " ..." if len(lacking) > SHOWN_NAMES else ""
    return [f"the weights do not fill {len(lacking)} layers: {', '.join(lacking[:SHOWN_NAMES])}{more}"]
