"""Finds the hypothesis that explains a difference best."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

import numpy as np

from caffe_compat.parity.causes.bottoms import changed_bottoms
from caffe_compat.parity.causes.fields import changed_fields, fitted_fields
from caffe_compat.parity.causes.images import changed_images, fitted_shift
from caffe_compat.parity.causes.results import changed_results, fitted_results
from caffe_compat.parity.causes.suspect import Suspect
from caffe_compat.parity.causes.trial import Fits, Hypotheses, Trial
from caffe_compat.parity.causes.types import FITS_BY_TYPE, HYPOTHESES_BY_TYPE
from caffe_compat.parity.causes.weights import changed_weights, recorded_weights
from caffe_compat.parity.measure import errors_between
from caffe_compat.parity.replay import array_of

#: Hypotheses for every layer, tried before and after those of its type. If two explain equally well, the first wins.
FIRST: tuple[Hypotheses, ...] = (changed_fields,)
LAST: tuple[Hypotheses, ...] = (changed_bottoms, changed_weights, changed_results)
#: A hypothesis that explains only a part is reported if it reduces the error at least by this factor.
WORTH_SAYING = 10.0
#: Largest relative error that remains if a hypothesis explains a part.
LARGEST_REST = 0.1
#: Errors below this are rounding, so they do not make a hypothesis better than an earlier one.
ROUNDING = 2e-6


@dataclass(frozen=True)
class Explanation:
    """A hypothesis and the relative error that remains with it."""

    trial: Trial
    error: float


def find_cause(suspect: Suspect, limit: float) -> str:
    """Returns one sentence: the change that makes our layer give the other side's result, or that none was found."""
    strange = _not_finite(suspect)
    if strange:
        return strange
    before = _error(suspect, suspect.as_is)
    if before <= limit:
        return "none in the layer itself: made anew, on the other side's bottoms, it gives the other side's result"
    explanations = [Explanation(trial, _error(suspect, trial)) for trial in _trials(suspect)]
    best = _best(explanations)
    if best is None or best.error > limit:
        explanations += [Explanation(trial, _error(suspect, trial)) for trial in _fits(suspect)]
        best = _best(explanations)
    if best is None or best.error > min(before / WORTH_SAYING, max(LARGEST_REST, limit)):
        return f"none of {len(explanations)} hypotheses explains it"
    if best.error > limit:
        return f"in part: {best.trial.says} (leaves an error of {best.error:.1e} of {before:.1e})"
    return f"{best.trial.says} (leaves an error of {best.error:.1e} of {before:.1e})"


def _not_finite(suspect: Suspect) -> str:
    """Returns a sentence about NaN and infinite results on either side; "" if all results are finite."""
    ours = suspect.as_is.result()
    sides = (("the other side", suspect.theirs), ("ours", None if ours is None else array_of(ours)))
    counts = {name: int((~np.isfinite(values)).sum()) for name, values in sides if isinstance(values, np.ndarray)}
    found = [f"{name} has {count} values that are infinite or no numbers" for name, count in counts.items() if count]
    return " and ".join(found)


def _trials(suspect: Suspect) -> Iterator[Trial]:
    if suspect.as_is.given is not None:
        yield from changed_images(suspect.as_is)
        yield from changed_results(suspect.as_is)
        return
    yield from recorded_weights(suspect.as_is, suspect.their_weights)
    for hypotheses in (*FIRST, *HYPOTHESES_BY_TYPE.get(suspect.as_is.parameter.type, ()), *LAST):
        yield from hypotheses(suspect.as_is)


def _fits(suspect: Suspect) -> Iterator[Trial]:
    of_the_layer: tuple[Fits, ...] = (fitted_shift,) if suspect.as_is.given is not None else (fitted_fields,)
    for fit in (*of_the_layer, *FITS_BY_TYPE.get(suspect.as_is.parameter.type, ()), fitted_results):
        yield from fit(suspect.as_is, suspect.theirs)


def _error(suspect: Suspect, trial: Trial) -> float:
    result = trial.result()
    return inf if result is None else errors_between(array_of(result), suspect.theirs).relative


def _best(explanations: list[Explanation]) -> Explanation | None:
    if not explanations:
        return None
    least = min(explanation.error for explanation in explanations)
    return next(e for e in explanations if e.error <= max(2 * least, ROUNDING))
