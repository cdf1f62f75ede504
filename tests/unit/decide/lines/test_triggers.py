"""A trigger begins a run by what happened since the last one, and by nothing else."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as some

from inland.decide.lines.triggers import Happened, due
from inland.domain.lines import Trigger, TriggerKind
from inland.domain.thumbs import NO_THUMB, Thumb

COUNTS = some.integers(0, 200)
THUMBS = COUNTS.flatmap(lambda count: some.integers(0, count).map(lambda ups: Thumb(ups, count)))
HAPPENED = some.builds(
    Happened, some.integers(0, 10**7), some.booleans(), COUNTS, COUNTS, THUMBS, THUMBS
)
WANTED = some.none() | some.integers(1, 200)
SCORES = some.builds(
    Trigger,
    some.just(TriggerKind.SCORE),
    thumbs=some.integers(1, 50),
    points=some.none() | some.integers(0, 100),
    least=some.none() | some.floats(0, 1),
)


@given(some.integers(1, 9000), HAPPENED)
def test_a_schedule_asks_how_long_it_was(hours, happened):
    is_over = happened.seconds >= hours * 3600
    assert bool(due(Trigger(TriggerKind.SCHEDULE, hours), happened)) == is_over


@given(HAPPENED)
def test_data_asks_for_a_new_version(happened):
    assert bool(due(Trigger(TriggerKind.DATA), happened)) == happened.is_new


@given(WANTED, WANTED, HAPPENED)
def test_feedback_asks_for_as_much_of_either_as_it_names(corrections, thumbs, happened):
    trigger = Trigger(TriggerKind.FEEDBACK, corrections=corrections, thumbs=thumbs)
    enough = [
        corrections is not None and happened.corrections >= corrections,
        thumbs is not None and happened.thumbs >= thumbs,
    ]
    assert bool(due(trigger, happened)) == any(enough)


@given(SCORES, HAPPENED)
def test_a_score_begins_a_run_where_it_fell_and_enough_say_so(trigger, happened):
    if not due(trigger, happened):
        return
    live, before = happened.live, happened.let_through
    assert live.all >= trigger.thumbs
    now = live.ups / live.all
    under = trigger.least is not None and now < trigger.least
    fell = trigger.points is not None and before.all > 0
    assert under or (fell and now < before.ups / before.all - trigger.points / 100)


@given(SCORES, HAPPENED)
def test_what_is_liked_as_it_was_begins_nothing(trigger, happened):
    same = replace(happened, let_through=happened.live)
    assert not due(replace(trigger, least=None), same)
    unknown = replace(happened, let_through=NO_THUMB)
    assert not due(replace(trigger, least=None), unknown), "there is nothing that it fell from"


def test_a_score_that_fell_far_begins_a_run_once_that_is_sure():
    trigger = Trigger(TriggerKind.SCORE, thumbs=5, points=10)
    was = Thumb(45, 50)
    assert not due(trigger, Happened(live=Thumb(0, 4), let_through=was))
    assert "9 % of" not in due(trigger, Happened(live=Thumb(4, 5), let_through=was))
    assert due(trigger, Happened(live=Thumb(1, 10), let_through=was)).startswith("a live score")
    assert not due(trigger, Happened(live=Thumb(16, 20), let_through=was)), "it may be chance"
    assert due(trigger, Happened(live=Thumb(300, 500), let_through=was))
    floor = Trigger(TriggerKind.SCORE, thumbs=5, least=0.8)
    assert due(floor, Happened(live=Thumb(100, 200)))
    assert not due(floor, Happened(live=Thumb(170, 200)))
