"""An interval holds its point, is the same for whoever draws it, and holds the truth as often as it
says."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inland.decide.evaluation.intervals import LEVEL, difference, mean

SCORES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=40)


@settings(max_examples=30)
@given(scores=SCORES, seed=st.integers(0, 2**32))
def test_it_holds_its_point_and_stays_within_what_can_be(scores, seed):
    found = mean(scores, seed)
    assert found.point == pytest.approx(math.fsum(scores) / len(scores))
    assert 0.0 <= found.low <= found.point <= found.high <= 1.0
    assert found == mean(scores, seed)


@settings(max_examples=20)
@given(pairs=st.lists(st.tuples(*[st.sampled_from([0.0, 0.5, 1.0])] * 2), min_size=1, max_size=40))
def test_a_difference_is_the_other_way_round_with_its_sign(pairs):
    before, after = zip(*pairs, strict=True)
    there, back = difference(before, after, 1), difference(after, before, 1)
    assert (there.point, there.low, there.high) == pytest.approx(
        (-back.point, -back.high, -back.low)
    )
    assert -1.0 <= there.low <= there.point <= there.high <= 1.0


@pytest.mark.parametrize("count", [1, 10, 100])
def test_all_alike_is_no_certainty(count):
    """A model that is right with this chance is right every time in one of forty suites."""
    found = mean([1.0] * count, 1)
    assert found.high == 1.0
    assert found.low**count == pytest.approx((1 - LEVEL) / 2)
    none = mean([0.0] * count, 1)
    assert (none.low, none.high) == pytest.approx((0.0, 1.0 - found.low))


def test_more_tasks_are_surer():
    found = [mean([0.0, 1.0] * 10 * n, 1) for n in (1, 4, 16)]
    widths = [one.high - one.low for one in found]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 1.5 * widths[1] > 2 * widths[2]


def test_it_holds_the_truth_about_as_often_as_it_says():
    """Of 60 suites of 40 tasks that a model solves with chance 0.8: a percentile bootstrap of so
    few holds it in a little less than 95 of a hundred."""
    drawn = random.Random(7)
    held = 0
    for seed in range(60):
        scores = [float(drawn.random() < 0.8) for _ in range(40)]
        found = mean(scores, seed)
        held += found.low <= 0.8 <= found.high
    assert 0.85 <= held / 60 < 1.0


def test_the_draws_are_those_that_were_told():
    """Whoever derives a verdict again gets these numbers."""
    found = mean([1.0] * 90 + [0.0] * 10, 7)
    assert (found.low, found.high) == PINNED


PINNED = (0.84, 0.95)


@pytest.mark.parametrize("scores", [[], [1.5], [-0.1], [float("nan")]])
def test_what_is_no_score_is_refused(scores):
    with pytest.raises(ValueError, match="score"):
        mean(scores, 1)
