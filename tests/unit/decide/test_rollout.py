"""Who is answered by a new release, when more are, and when it is taken back."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from inland.decide.lines.rollout import (
    LINGER_S,
    Seen,
    Then,
    chosen,
    loaded,
    past,
    percents_wrong,
    point,
    serving,
    verdict,
)
from inland.domain.releases import Pace, Release, ReleaseState, Serving
from inland.domain.thumbs import Thumb

PACE = Pace(percents=(10, 50), soak_s=60, samples=20, error_points=2, ttft_percent=50)
LIVE = Serving("r1", "acme", "notes", "base", "a1", 100)
NEW = Serving("r2", "acme", "notes", "base", "a2", 10)


def liked(ups: int, of: int) -> Seen:
    return Seen(20, thumb=Thumb(ups, of))


def release(number: int, state: ReleaseState, **more: object) -> Release:
    made = Release(
        id=f"r{number}",
        tenant="acme",
        name="notes",
        deployment="base",
        base_digest="sha256:0",
        adapter=f"a{number}",
        digest="hmac-sha256:1",
        state=state,
        proposed_by="op",
        created_unix_s=0,
        since_unix_s=0,
        approved_by="admin",
    )
    return replace(made, **more)


@given(some.text(), some.text(), some.integers(1, 99), some.integers(1, 99))
def test_who_was_answered_by_it_still_is_when_more_are(key, user, one, other) -> None:
    less, more = sorted((one, other))
    if chosen([LIVE, replace(NEW, percent=less)], key, user).release == "r2":
        assert chosen([LIVE, replace(NEW, percent=more)], key, user).release == "r2"


def test_as_many_are_answered_by_it_as_it_says_and_others_first_by_the_next() -> None:
    users = [str(number) for number in range(4000)]
    first = {user for user in users if chosen([LIVE, NEW], "k", user) == NEW}
    assert 300 < len(first) < 500
    next_ = {user for user in users if point("r3", "k", user) < 10}
    assert len(first & next_) < 100


def test_of_one_release_there_is_no_choice() -> None:
    assert chosen([NEW], "k", "") == NEW


def test_gateways_are_told_of_what_answers_somebody() -> None:
    told = serving(release(number, state, key="k") for number, state in enumerate(ReleaseState))
    states = list(ReleaseState)
    assert {states[int(name[1:])]: one.percent for name, one in told.items()} == {
        ReleaseState.ON_TRIAL: 0,
        ReleaseState.ROLLING_OUT: 10,
        ReleaseState.LIVE: 100,
    }
    assert {one.key for one in told.values()} == {"k"}


def test_engines_have_what_serves_or_is_to_and_what_may_be_live_again() -> None:
    known = [
        release(1, ReleaseState.RETIRED),  # live before 2
        release(2, ReleaseState.LIVE, before="r1"),
        release(3, ReleaseState.APPROVED),
        release(4, ReleaseState.APPROVED, waits=True),
        release(5, ReleaseState.ROLLED_BACK),
        release(6, ReleaseState.PROPOSED),
    ]
    assert loaded(known, LINGER_S)["base"] == ("a1", "a2", "a3")
    assert loaded(known, LINGER_S - 1)["base"] == ("a1", "a2", "a3", "a5")
    assert [one.id for one in past(known, LINGER_S)] == ["r5"]


@pytest.mark.parametrize(
    ("candidate", "incumbent", "then"),
    [
        (Seen(19, 19), Seen(100), Then.WAIT),  # too few say anything
        (Seen(20, 1), Seen(100, 4), Then.GO_ON),  # 5 % where 4 + 2 may be
        (Seen(20, 2), Seen(100, 4), Then.ROLL_BACK),
        (Seen(20, 1), Seen(), Then.ROLL_BACK),  # nobody to compare with: 2 % may be
        (Seen(20, 0, 301), Seen(20, 0, 200), Then.ROLL_BACK),
        (Seen(20, 0, 300), Seen(20, 0, 200), Then.GO_ON),
        (Seen(20, 0, 149), Seen(20, 0, 5), Then.GO_ON),  # both are at once
        (Seen(20, 0, 9000), Seen(19, 0, 5), Then.GO_ON),  # too few to compare with
        (liked(10, 40), liked(36, 40), Then.ROLL_BACK),
        (liked(30, 40), liked(36, 40), Then.GO_ON),  # lower, but it may be chance
        (liked(0, 19), liked(36, 40), Then.GO_ON),  # too few say it
        (liked(10, 40), liked(19, 19), Then.GO_ON),  # too few to compare with
    ],
)
def test_what_is_worse_is_taken_back(candidate: Seen, incumbent: Seen, then: Then) -> None:
    assert verdict(PACE, candidate, incumbent, 60).then is then


@pytest.mark.parametrize(
    ("bound", "candidate", "then"),
    [
        ({"errors_most": 0.5}, Seen(20, 11), Then.ROLL_BACK),
        ({"errors_most": 0.5}, Seen(20, 10), Then.GO_ON),
        ({"ttft_ms_most": 300}, Seen(20, late_ms=301), Then.ROLL_BACK),
        ({"ttft_ms_most": 300}, Seen(20, late_ms=300), Then.GO_ON),
        ({"live_score_least": 0.5}, liked(5, 20), Then.ROLL_BACK),
        ({"live_score_least": 0.5}, liked(8, 20), Then.GO_ON),  # less, but it may be chance
        ({"live_score_least": 0.5}, liked(0, 19), Then.GO_ON),  # too few say it
        ({"live_score_least": 0.5}, Seen(20), Then.GO_ON),
    ],
)
def test_what_is_beyond_a_bound_is_taken_back_whatever_is_live(bound, candidate, then) -> None:
    pace = replace(PACE, error_points=100, ttft_percent=1000, **bound)
    as_bad = replace(candidate, answers=500)
    assert verdict(pace, candidate, as_bad, 60).then is then


@pytest.mark.parametrize(
    ("percents", "shares"),
    [((10, 50, 100), (10, 50)), ((10, 50), (10, 50)), ((100,), ()), ((), ())],
)
def test_a_hundred_is_live_whether_it_is_said_or_not(percents, shares) -> None:
    assert percents_wrong(percents) == ""
    assert Pace(percents).shares == shares


@pytest.mark.parametrize("percents", [(50, 10), (10, 10), (0,), (101,), tuple(range(1, 18))])
def test_percents_that_do_not_rise_to_a_hundred_are_wrong(percents) -> None:
    assert "rising" in percents_wrong(percents)


def test_nothing_goes_on_before_its_time_and_what_is_wrong_does_not_wait_for_it() -> None:
    assert verdict(PACE, Seen(500), Seen(500), 59).then is Then.WAIT
    assert verdict(PACE, Seen(20, 20), Seen(500), 0).then is Then.ROLL_BACK


@pytest.mark.parametrize(
    ("candidate", "incumbent", "then"),
    [
        (liked(10, 40), liked(36, 40), Then.ROLL_BACK),
        (liked(30, 40), liked(36, 40), Then.GO_ON),  # lower, but it may be chance
        (liked(0, 19), liked(36, 40), Then.GO_ON),  # too few say it
        (liked(10, 40), liked(19, 19), Then.GO_ON),  # too few to compare with
        (liked(40, 40), liked(10, 40), Then.GO_ON),
    ],
)
def test_what_people_surely_like_less_is_taken_back(candidate, incumbent, then) -> None:
    assert verdict(PACE, candidate, incumbent, 60).then is then


def test_what_people_say_is_heard_before_there_are_answers_enough() -> None:
    seen = Seen(0, thumb=Thumb(0, 20))
    told = verdict(PACE, seen, liked(20, 20), 0)
    assert told.then is Then.ROLL_BACK
    assert "0 % of 20 thumbs up (0 to 16), against 100 % of 20" in told.why
    figures = {"answers": 0, "errors": 0, "ttft_ms": 0, "thumbs": 20, "thumbs_up": 0}
    assert seen.figures() == figures
