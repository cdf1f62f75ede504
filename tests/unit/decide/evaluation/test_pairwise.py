"""How often one model is better is counted fairly, whichever way round a judge sees them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inland.decide.evaluation.pairwise import Winner, by_score, compared, win_rate
from inland.decide.evaluation.scorers import Unjudged

SCORES = st.lists(st.tuples(*[st.sampled_from([0.0, 0.5, 1.0])] * 2), min_size=1, max_size=20)


@settings(max_examples=30)
@given(pairs=SCORES)
def test_one_wins_what_the_other_loses(pairs):
    one, two = zip(*pairs, strict=True)
    there, back = win_rate(by_score(one, two), 1), win_rate(by_score(two, one), 1)
    assert (there.wins, there.ties, there.losses) == (back.losses, back.ties, back.wins)
    assert there.wins + there.ties + there.losses == len(pairs)
    assert there.rate.point == pytest.approx(1.0 - back.rate.point)
    assert there.rate.point == pytest.approx((there.wins + there.ties / 2) / len(pairs))


def reply(side):
    return f'{{"better": "{side}"}}'


@pytest.mark.parametrize(
    ("straight", "swapped", "winner"),
    [
        ("A", "B", Winner.FIRST),
        ("B", "A", Winner.SECOND),
        ("A", "A", Winner.NEITHER),  # it prefers what it reads first
        ("B", "B", Winner.NEITHER),
        ("neither", "neither", Winner.NEITHER),
        ("A", "neither", Winner.NEITHER),
    ],
)
def test_a_judge_has_to_say_the_same_both_ways_round(straight, swapped, winner):
    assert compared(reply(straight), reply(swapped)) is winner


@pytest.mark.parametrize("said", ["", "A", '{"better": "C"}', "[" * 9999, '{"better": ["A"]}'])
def test_what_is_no_verdict_is_none(said):
    with pytest.raises(Unjudged):
        compared(reply("A"), said)
