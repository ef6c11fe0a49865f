"""One split in the released file layout, written block by block.

A run that was killed continues at the last whole block and gives the same bytes.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from caffe_compat.data.sources.datums import record_key
from caffe_compat.errors import DataError
from caffe_compat.srn.datasets.block_database import BlockDatabase
from caffe_compat.srn.datasets.in_order import in_order
from caffe_compat.srn.datasets.layout import SplitFiles
from caffe_compat.srn.datasets.outcomes import ABSENT_IF_UNKNOWN, LabelRules, Outcome, PictureRules, outcome_of
from caffe_compat.srn.datasets.progress import WrittenSoFar
from caffe_compat.srn.datasets.samples import Finding, Sample, SampleSource
from caffe_compat.terminal.progress import Progress

Done = tuple[Sample, Outcome]

BLOCK_SAMPLES, BLOCK_BYTES = 1000, 2**26
TRAINING = "train"


class SplitWriter:
    """Writes image list, label file, report and databases of a split, and keeps what is written so far beside."""

    def __init__(
        self,
        files: SplitFiles,
        rules: PictureRules,
        progress_file: Path,
        label_rules: LabelRules = ABSENT_IF_UNKNOWN,
    ) -> None:
        self._files, self._rules, self._progress_file = files, rules, progress_file
        self._label_rules = label_rules
        self._progress = WrittenSoFar.load(progress_file)
        self._digest = hashlib.sha256()

    @property
    def progress(self) -> WrittenSoFar:
        """How much of the split is written."""
        return self._progress

    def write(self, source: SampleSource, processes: int) -> None:
        """Write what is missing of the split.

        Raises DataError if no image can be used, or if the samples done before a stop are not those of now.
        """
        samples = iter(source)
        self._pass_over(samples)
        work = partial(
            outcome_of,
            rules=self._rules,
            images=self._files.images,
            training=self._files.split == TRAINING,
            label_rules=self._label_rules,
        )
        before = self._progress.samples
        with Progress(self._files.split, len(source), "images", done=before) as bar:
            for block in blocks(in_order(work, samples, processes)):
                self._write_block(block)
                bar.advance(len(block))
        if not self._progress.kept:
            raise DataError(self._nothing_kept(next(iter(source)).path))
        self._progress.complete = True
        self._progress.save(self._progress_file)

    def _nothing_kept(self, first: str) -> str:
        counted = ", ".join(f"{number:,} {kind}" for kind, number in sorted(self._progress.left_out.items()))
        return (
            f"{self._files.report}: no image of split '{self._files.split}' can be used ({counted}); the first is "
            f"'{first[:200]}'; the report says why; if images are missing, name the folder that their names count from"
        )

    def _pass_over(self, samples: Iterator[Sample]) -> None:
        for _, sample in zip(range(self._progress.samples), samples, strict=False):
            self._digest.update(sample.fingerprint())
        if self._progress.samples and self._digest.hexdigest() != self._progress.digest:
            raise DataError(
                f"{self._files.folder}: expected the samples of the run that began it, found others in the first "
                f"{self._progress.samples} of split '{self._files.split}'; remove the folder and begin again"
            )

    def _write_block(self, block: list[Done]) -> None:
        """Write databases, then texts, then the progress, without which the others do not count."""
        kept = [done for done in block if done[1].kept]
        self._write_records(kept)
        self._append(self._files.image_list, (f"{sample.name} {outcome.tags}" for sample, outcome in kept))
        self._append(self._files.labels, (outcome.label_line for _, outcome in kept))
        self._append(self._files.unlabelled, (sample.name for sample, outcome in kept if not outcome.tags))
        self._append(self._files.report, (_report_line(*done) for done in block if done[1].findings))
        self._count(block, len(kept))
        self._progress.save(self._progress_file)

    def _write_records(self, kept: list[Done]) -> None:
        first = self._progress.kept
        keys = [record_key(first + place, sample.name) for place, (sample, _) in enumerate(kept)]
        labels = [(key, outcome.label) for key, (_, outcome) in zip(keys, kept, strict=True)]
        BlockDatabase(self._files.label_database).put_block(first, labels)
        if self._rules.database:
            images = [(key, outcome.image) for key, (_, outcome) in zip(keys, kept, strict=True)]
            BlockDatabase(self._files.image_database).put_block(first, images)

    def _append(self, path: Path, lines: Iterable[str]) -> None:
        """Write lines after the bytes that count; those that a killed run wrote beyond are replaced."""
        text = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
        size = self._progress.sizes.get(path.name, 0)
        with open(path, "r+b" if path.exists() else "wb") as file:
            file.truncate(size)
            file.seek(size)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self._progress.sizes[path.name] = size + len(text)

    def _count(self, block: list[Done], kept: int) -> None:
        for sample, outcome in block:
            self._digest.update(sample.fingerprint())
            counts = self._progress.changed if outcome.kept else self._progress.left_out
            counts.update(finding.kind for finding in outcome.findings)
        self._progress.samples += len(block)
        self._progress.kept += kept
        self._progress.digest = self._digest.hexdigest()


def blocks(done: Iterable[Done]) -> Iterator[list[Done]]:
    """Blocks of up to a thousand samples, fewer of large pictures; their ends depend on the samples alone."""
    block: list[Done] = []
    size = 0
    for sample, outcome in done:
        block.append((sample, outcome))
        size += len(outcome.image) + len(outcome.label) + len(outcome.label_line)
        if len(block) == BLOCK_SAMPLES or size >= BLOCK_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def _report_line(sample: Sample, outcome: Outcome) -> str:
    """Verdict, name and reasons, separated by tabs."""
    verdict = "changed" if outcome.kept else "left out"
    return "\t".join((verdict, _one_line(sample.name), _one_line(_reasons(outcome.findings))))


def _reasons(findings: Iterable[Finding]) -> str:
    return "; ".join(map(str, findings))


def _one_line(text: str) -> str:
    """Text without line breaks or tabs: names in a user's file may hold any."""
    return " ".join(text.split())
