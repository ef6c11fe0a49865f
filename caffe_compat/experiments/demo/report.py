"""report.html: what was done, what came out, what it means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from caffe_compat.experiments.arms import RATE_DROPS
from caffe_compat.experiments.demo import findings, pictures
from caffe_compat.experiments.demo.mechanism import OUTPUTS, mechanism_rows, mechanism_sentence
from caffe_compat.experiments.demo.outcomes import (
    FIGURES,
    GROUPS,
    MeasuredRun,
    ap_gains,
    gains,
    group_ap,
    mean_figures,
    of_arm,
)
from caffe_compat.experiments.demo.recipe import BASELINE, SRN, SRN_OUTPUTS, Recipe
from caffe_compat.experiments.mechanism.study import Result
from caffe_compat.pages.pieces import Folded, Heading, PageTable, Paragraph, Picture, Piece, write_pieces
from caffe_compat.parity.comparison import Comparison
from caffe_compat.parity.text_table import conclusion
from caffe_compat.srn.datasets.scene_rules import CLASS_NAMES

TITLE = "Spatial Regularization Network: a small one, trained and checked"
#: The layers with the largest errors are shown; the rest is counted.
PARITY_ROWS = 12


@dataclass(frozen=True)
class Findings:
    """Everything that the report tells; `control` may be empty."""

    recipe: Recipe
    scenes: Sequence[MeasuredRun]
    control: Sequence[MeasuredRun]
    mechanism: Sequence[Result]
    parity: Comparison
    seconds: float


def write_report(folder: Path, found: Findings) -> None:
    """Draw the pictures into the folder and write the page beside them."""
    srn = of_arm(found.scenes, SRN)[0].run
    pictures.draw_scenes(srn, found.recipe.scene_pictures, folder / "scenes.png")
    pictures.draw_outputs(found.scenes, folder / "outputs.png")
    pictures.draw_gains(found.scenes, found.control, folder / "gains.png")
    pictures.draw_losses(found.scenes, folder / "losses.png")
    attention = pictures.draw_attention_maps(srn, found.recipe.attention_pictures, folder)
    pieces = [piece for section in _sections(folder, found, attention) for piece in section]
    write_pieces(folder / "report.html", TITLE, pieces)


def _sections(folder: Path, found: Findings, attention: Sequence[Path]) -> Iterator[Iterator[Piece]]:
    yield _opening(found)
    yield _results(folder, found)
    yield _cause(folder, found)
    yield _mechanism(found.mechanism)
    yield _attention(attention)
    yield _data(folder, found)
    yield _training(folder, found)
    yield _parity(found.parity)


def _opening(found: Findings) -> Iterator[Piece]:
    yield Heading(TITLE, level=1)
    yield Paragraph(
        "The nets were generated as Caffe text files, trained from solver files in the paper's four steps, evaluated "
        "on scenes of digits that training never saw, and compared layer by layer with another Caffe reader, all in "
        f"{found.seconds / 60:.1f} minutes on this machine.",
        "lead",
    )
    yield Paragraph(findings.verdict(found.scenes), "verdict")


def _results(folder: Path, found: Findings) -> Iterator[Piece]:
    yield Heading("Results on the test split")
    yield Picture(
        folder / "outputs.png",
        "Bars of mAP, F1-C and F1-O for the baseline and the four outputs of SRN; the table below has the numbers.",
        "y is SRN's prediction, the mean of y_cls (the main net's) and y_sr (the regularised one); y_att pools by "
        "attention.",
    )
    yield PageTable(
        "Per cent; means over seeds.", ("model", *FIGURES), list(_figure_rows(found.scenes)), main=["SRN y"]
    )
    yield Paragraph(findings.outputs_sentence(found.scenes))
    yield PageTable(
        "mAP of each seed, per cent.", ("seed", "baseline", "SRN y", "gain"), list(_seed_rows(found.scenes))
    )


def _figure_rows(outcomes: Sequence[MeasuredRun]) -> Iterator[tuple[str, ...]]:
    baseline, srn = of_arm(outcomes, BASELINE), of_arm(outcomes, SRN)
    yield (f"{baseline[0].run.arm.title} (baseline)", *_percentages(mean_figures(baseline)))
    for output in SRN_OUTPUTS:
        yield (f"SRN {output}", *_percentages(mean_figures(srn, output)))


def _percentages(figures: dict[str, float]) -> list[str]:
    return [f"{100 * figures[name]:.1f}" for name in FIGURES]


def _seed_rows(outcomes: Sequence[MeasuredRun]) -> Iterator[tuple[str, ...]]:
    pairs = zip(of_arm(outcomes, BASELINE), of_arm(outcomes, SRN), gains(outcomes), strict=True)
    for base, ours, gain in pairs:
        values = (base.prediction.figures["mAP"], ours.prediction.figures["mAP"], gain)
        yield (str(base.run.seed), *(f"{100 * value:.1f}" for value in values))


def _cause(folder: Path, found: Findings) -> Iterator[Piece]:
    yield Heading("Where the gain comes from")
    for sentence in findings.cause(found.scenes, found.control):
        yield Paragraph(sentence)
    yield Picture(
        folder / "gains.png",
        "Bars of SRN's gain in AP over the baseline for each label; the table below has the numbers.",
        "Gain in AP of SRN's y over the baseline, by label (the paper's Figure 7). Right of the dotted line are the "
        "labels that only relative position decides.",
    )
    yield PageTable(
        "Mean AP of two groups of labels, per cent.", ("labels", "baseline", "SRN y"), list(_group_rows(found))
    )
    rows = [(name, f"{100 * gain:+.1f}") for name, gain in zip(CLASS_NAMES, ap_gains(found.scenes), strict=True)]
    yield Folded("The gain of each label", [PageTable("Gain in AP, points.", ("label", "gain"), rows)])


def _group_rows(found: Findings) -> Iterator[tuple[str, ...]]:
    for title, outcomes in (("", found.scenes), (", control", found.control)):
        for group in GROUPS if outcomes else ():
            means = [
                sum(group_ap(outcome.prediction, group) for outcome in of_arm(outcomes, name))
                / len(of_arm(outcomes, name))
                for name in (BASELINE, SRN)
            ]
            yield (f"{group}{title}", *(f"{100 * mean:.1f}" for mean in means))


def _mechanism(results: Sequence[Result]) -> Iterator[Piece]:
    yield Heading("Does the spatial part do the work?")
    yield Paragraph(
        "Here the backbone sees 15 pixels, and two digits lie 40 pixels apart, in one row or in one column. Neither "
        "digit alone tells which, so only conv4's kernels over the label maps can."
    )
    yield PageTable("AP of the relation labels, per cent.", ("model", *OUTPUTS), mechanism_rows(results))
    yield Paragraph(mechanism_sentence(results))


def _attention(paths: Sequence[Path]) -> Iterator[Piece]:
    yield Heading("What SRN attends to")
    yield Paragraph(
        "Attention A (Eq. 4) above, and below it U, the attention weighted by confidence (Eq. 8), for the true labels "
        "of test scenes with four digits. Under each label stands SRN's probability. Each map is scaled to its own "
        "largest value."
    )
    for number, path in enumerate(paths, start=1):
        yield Picture(path, f"Attention maps over test scene {number}, one column a label.", f"Test scene {number}.")


def _data(folder: Path, found: Findings) -> Iterator[Piece]:
    yield Heading("The data")
    numbers = ", ".join(f"{number:,} {split}" for split, number in found.recipe.scenes.items())
    yield Paragraph(
        f"Scenes composed of scikit-learn's real handwritten digits ({numbers}); no digit of the test scenes is in a "
        "training scene. One anchor (0 to 4) stands with one to three companions (5 to 9); each anchor meets two "
        "favourite companions three times in four. A companion makes two labels true: that it is there, and on which "
        "side of the anchor. Three in ten companions are faint, blurred and at times half hidden."
    )
    yield Picture(
        folder / "scenes.png",
        "Test scenes with boxes around digits and the labels below.",
        "Test scenes. Boxes (not used in training) are grey where a digit is degraded; labels stand below.",
    )


def _training(folder: Path, found: Findings) -> Iterator[Piece]:
    yield Heading("Training")
    drops = " and ".join(f"{drop:.0%}" for drop in RATE_DROPS)
    yield Paragraph(
        "Both models have the same backbone and the same number of epochs in all, so the baseline's backbone learns "
        "for longer. Rates were chosen on validation splits, for both models alike; they fall to a tenth at "
        f"{drops} of a step."
    )
    rows = [
        (arm.title, f"step {number}", str(step.epochs), f"{step.rate:g}")
        for arm in found.recipe.arms.values()
        for number, step in enumerate(arm.steps, start=1)
    ]
    yield PageTable("Epochs and first rates.", ("model", "step", "epochs", "rate"), rows)
    yield Picture(
        folder / "losses.png",
        "Curves of training and validation loss for the baseline and SRN's four steps.",
        "Losses of the first seed. Step 4 has two losses, on y and on y_att; their sum is shown.",
    )


def _parity(parity: Comparison) -> Iterator[Piece]:
    yield Heading("The same net elsewhere")
    verdict = f"Verdict: {conclusion(parity)}."
    yield Paragraph(
        f"The trained deploy net and its .caffemodel were loaded by {parity.against}'s Caffe importer as well, and the "
        f"outputs of {len(parity.differences)} layers compared on test images. {verdict} The largest error is "
        f"{parity.max_error:.1e} of a blob's largest value."
    )
    worst = sorted(parity.differences, key=lambda difference: -difference.net.relative)[:PARITY_ROWS]
    rows = [(d.layer, d.type, " x ".join(map(str, d.shape)), f"{d.net.relative:.1e}", d.verdict) for d in worst]
    caption = f"The {len(rows)} layers with the largest errors."
    yield PageTable(caption, ("layer", "type", "shape", "relative error", "verdict"), rows)
