"""Verdicts."""

from dataclasses import replace

import pytest

from caffe_compat.parity.comparison import Verdict
from caffe_compat.parity.judge import Evidence, Judge
from caffe_compat.parity.measure import Errors

SAME = Evidence(
    net=Errors(0, 1e-7, 1), alone=Errors(0, 1e-7, 1), layer_limit=1e-5, net_limit=1e-3, is_pure=True, same_shape=True
)
BAD = Errors(1, 0.5, 0.9)
SLIGHT = Errors(1, 1e-4, 1)

CASES = {
    "same": (SAME, Verdict.SAME),
    "alone": (replace(SAME, net=BAD, alone=BAD), Verdict.DIFFERS),
    "alone, though the whole run hides it": (replace(SAME, alone=SLIGHT), Verdict.DIFFERS),
    "slight, but not fed with the other side's bottoms": (replace(SAME, alone=SLIGHT, is_pure=False), Verdict.SAME),
    "not the layer, and none before": (replace(SAME, net=BAD), Verdict.DRIFTS),
    "unknown alone": (replace(SAME, net=BAD, alone=None), Verdict.DRIFTS),
    "shape": (replace(SAME, same_shape=False), Verdict.OTHER_SHAPE),
    "lot": (replace(SAME, net=BAD, alone=BAD, is_random=True), Verdict.OTHER_DRAW),
    "lot that fell alike": (replace(SAME, is_random=True), Verdict.SAME),
    "jumps where its bottom moves": (replace(SAME, net=BAD, is_discrete=True), Verdict.SAME),
    "jumps alone": (replace(SAME, net=BAD, alone=BAD, is_discrete=True), Verdict.DIFFERS),
}


@pytest.mark.parametrize("case", CASES)
def test_the_evidence_decides(case: str) -> None:
    evidence, verdict = CASES[case]
    assert Judge().verdict(evidence, ["a"], ["b"]) is verdict


def test_what_comes_from_a_wrong_layer_inherits_and_other_branches_do_not() -> None:
    judge = Judge()
    assert judge.verdict(replace(SAME, net=BAD, alone=BAD), ["data"], ["wrong"]) is Verdict.DIFFERS
    assert judge.verdict(replace(SAME, net=BAD), ["wrong"], ["after"]) is Verdict.INHERITS
    judge.pass_on(["after"], ["unseen"])
    assert judge.verdict(replace(SAME, net=BAD), ["unseen"], ["later"]) is Verdict.INHERITS
    assert judge.verdict(replace(SAME, net=BAD, alone=BAD, is_pure=False), ["later"], ["x"]) is Verdict.INHERITS
    assert judge.verdict(replace(SAME, net=BAD), ["data"], ["branch"]) is Verdict.DRIFTS
    judge.pass_on(["data"], ["after"])
    assert judge.verdict(replace(SAME, net=BAD), ["after"], ["y"]) is Verdict.DRIFTS


def test_a_second_wrong_layer_is_wrong_too() -> None:
    judge = Judge()
    judge.verdict(replace(SAME, net=BAD, alone=BAD), ["data"], ["data"])
    assert judge.verdict(replace(SAME, net=BAD, alone=BAD), ["data"], ["data"]) is Verdict.DIFFERS
