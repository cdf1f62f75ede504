"""What thumbs come to, and when that is sure."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from inland.decide.lines.live_score import Score, is_under, is_worse, score
from inland.domain.thumbs import Thumb

THUMBS = some.integers(1, 500).flatmap(
    lambda count: some.integers(0, count).map(lambda ups: Thumb(ups, count))
)


def of(ups: int, count: int) -> Score:
    found = score(Thumb(ups, count))
    assert found is not None
    return found


def test_nobodys_word_is_no_score():
    assert score(Thumb()) is None


def test_it_is_wilsons_interval():
    """10 of 20 and 81 of 263 as Newcombe (1998, table I) has them; all of 20 by hand."""
    assert (of(10, 20).low, of(10, 20).high) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert (of(81, 263).low, of(81, 263).high) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert (of(20, 20).low, of(20, 20).high) == pytest.approx((0.8389, 1.0), abs=1e-4)


@given(THUMBS)
def test_the_point_lies_in_its_interval_and_more_thumbs_narrow_it(thumb):
    one = of(thumb.ups, thumb.all)
    more = of(thumb.ups * 4, thumb.all * 4)
    assert 0 <= one.low <= one.point <= one.high <= 1
    assert more.high - more.low < one.high - one.low


@given(THUMBS, THUMBS, some.floats(0, 1))
def test_what_is_surely_worse_is_worse_and_never_both_ways(one, other, by):
    first, second = of(one.ups, one.all), of(other.ups, other.all)
    if is_worse(first, second, by):
        assert first.point < second.point - by
        assert not is_worse(second, first, 0.0)
    assert not is_worse(first, first, by)
    assert is_under(first, by) <= (first.point < by)


def test_the_same_share_is_sure_once_there_are_enough():
    """56 of 70 against 48 of 80, Newcombe's example: 0.0524 to 0.3339 apart."""
    assert is_worse(of(48, 80), of(56, 70), 0.052)
    assert not is_worse(of(48, 80), of(56, 70), 0.053)
    sure = [is_worse(of(6 * n, 10 * n), of(8 * n, 10 * n), 0.05) for n in (1, 4, 16, 64)]
    assert sure == sorted(sure)
    assert sure[0] < sure[-1]
    assert all(one <= two for one, two in pairwise(sure))
