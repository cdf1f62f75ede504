"""The gate lets through what was shown to be good enough, and nothing else; it says why."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inland.decide.evaluation.intervals import mean
from inland.decide.evaluation.leakage import Leak
from inland.decide.lines.gate import judge
from inland.domain.lines import Floor, Gate, Regression

ORDERS, KNOWLEDGE = "orders", "knowledge"


def scores(right, of):
    return [1.0] * right + [0.0] * (of - right)


@settings(max_examples=30)
@given(right=st.integers(0, 60), least=st.integers(0, 100))
def test_a_floor_is_reached_by_the_lower_bound(right, least):
    had = scores(right, 60)
    gate = Gate(scores=(Floor(ORDERS, least / 100),))
    verdict = judge(gate, {ORDERS: had}, {}, (), 1)
    assert verdict.passed == (mean(had, 1).low >= least / 100)
    assert bool(verdict.refusals) != verdict.passed


def test_a_floor_is_not_reached_by_luck():
    """19 of 20 are 0.95, but few tasks prove little."""
    gate = Gate(scores=(Floor(ORDERS, 0.9),))
    assert not judge(gate, {ORDERS: scores(19, 20)}, {}, (), 1).passed
    assert judge(gate, {ORDERS: scores(190, 200)}, {}, (), 1).passed


@settings(max_examples=30)
@given(before=st.integers(0, 50), after=st.integers(0, 50), most=st.integers(0, 50))
def test_a_regression_is_judged_by_the_point(before, after, most):
    gate = Gate(regressions=(Regression(KNOWLEDGE, most / 50),))
    verdict = judge(gate, {KNOWLEDGE: scores(after, 50)}, {KNOWLEDGE: scores(before, 50)}, (), 1)
    assert verdict.passed == (before - after <= most)


def test_a_regression_says_its_interval():
    gate = Gate(regressions=(Regression(KNOWLEDGE, 0.15),))
    verdict = judge(gate, {KNOWLEDGE: scores(20, 50)}, {KNOWLEDGE: scores(30, 50)}, (), 1)
    (why,) = verdict.refusals
    assert why.startswith("knowledge: -0.200 (-0.3")
    assert why.endswith(", 50 tasks) against what serves is beyond -0.150")


ASKED = Gate(
    scores=(Floor(ORDERS, 0.5),),
    regressions=(Regression(KNOWLEDGE, 0.15),),
    safety=(Floor("refusals", 0.5),),
)
GOOD = {ORDERS: scores(90, 100), KNOWLEDGE: scores(40, 50), "refusals": scores(50, 50)}


def test_what_is_good_passes_and_each_thing_asked_is_told():
    verdict = judge(ASKED, GOOD, GOOD, (), 1)
    assert verdict.passed
    assert not verdict.refusals
    assert [one.suite for one in verdict.findings] == [ORDERS, KNOWLEDGE, "refusals"]
    assert all(str(one).startswith("passed: ") for one in verdict.findings)


@pytest.mark.parametrize("suite", GOOD)
def test_what_was_not_measured_does_not_pass(suite):
    without = {name: had for name, had in GOOD.items() if name != suite}
    verdict = judge(ASKED, without, GOOD, (), 1)
    assert [one.suite for one in verdict.findings if not one.passed] == [suite]
    assert "was not measured" in verdict.refusals[0]


@pytest.mark.parametrize("suite", GOOD)
def test_one_bad_score_refuses_all_and_is_named(suite):
    verdict = judge(ASKED, GOOD | {suite: scores(1, len(GOOD[suite]))}, GOOD, (), 1)
    (why,) = verdict.refusals
    assert suite in why


def test_what_serves_must_have_done_the_same_tasks():
    verdict = judge(ASKED, GOOD, GOOD | {KNOWLEDGE: scores(40, 49)}, (), 1)
    assert verdict.refusals == ("knowledge: was measured on other tasks of what serves",)


def test_a_holdout_that_leaks_refuses_and_names_the_questions():
    verdict = judge(ASKED, GOOD, GOOD, [Leak(n, n + 1, 0.9) for n in range(7)], 1)
    (why,) = verdict.refusals
    assert why.startswith("holdout: 7 of its questions are in the training data: 1 is 90% training")
    assert why.endswith("and 2 more")


def test_a_gate_that_asks_nothing_lets_nothing_through():
    verdict = judge(Gate(), GOOD, GOOD, (), 1)
    assert not verdict.passed
    assert verdict.refusals
