"""make bench-replay reads what commands say in their own shape."""

import json

import pytest

from bench.replay import Report, Seen, Sold, judged, reported
from bench.streams import Chat
from inland.api.contracts import MinuteView
from inland.decide.verdicts import Cause, Verdict


@pytest.mark.parametrize("cause", [None, Cause.CAPACITY_LOST])
def test_a_minute_of_a_report_is_met_or_has_its_cause(cause):
    minute = MinuteView.of(Verdict(60, cause, 1, 0, 5, 1, 1, 1)).model_dump(mode="json")

    class Says:
        def run(self, *words: str) -> str:
            assert words[:2] == ("contract", "report")
            told = {"minutes": [minute], "prompt_ppm": 500_000, "stream_ppm": 7_000_000}
            return json.dumps({"contracts": [told]})

    said = "met" if cause is None else cause.value
    assert reported(Says(), "demo") == Report({60: said}, 0.5, 7.0)


SOLD = Sold("demo", 1.0, 10, 1000)
SAYS = Report({}, 0.5, 5.0)


def seen(at_s: float, ttft_s: float, *, runs_s: float = 1.0, tokens: int = 10) -> Seen:
    usage = {"prompt_tokens": 4, "completion_tokens": tokens}
    return Seen(at_s, Chat(0.0, 200, [ttft_s], usage, ttft_s + runs_s, done=True))


def verdicts(*requests: Seen) -> list[tuple[int, bool]]:
    return list(judged(SOLD, list(requests), SAYS, 64))


def test_a_minute_is_met_or_breached_where_its_first_tokens_are_clear():
    assert verdicts(seen(70, 0.5)) == [(1, True)]
    assert verdicts(seen(70, 1.5)) == [(1, False)]
    assert verdicts(seen(70, 1.05)) == []  # too near to say
    assert verdicts(Seen(70, Chat(0.0, 503))) == [(1, False)]


def test_a_minute_in_which_something_may_be_owed_is_left_to_the_report():
    assert verdicts(seen(70, 0.5, runs_s=10.0)) == []  # its answer was slow
    assert verdicts(seen(118, 0.5), seen(118.5, 3.0)) == [(1, False)]
    assert verdicts(*(seen(62 + at, 0.2) for at in range(40)), seen(118.5, 2.0)) == []


def test_who_asks_for_more_than_was_sold_is_left_to_the_report():
    assert verdicts(seen(70, 0.5, tokens=601)) == []
