"""make bench-replay reads what commands say in their own shape."""

import json

import pytest

from bench.replay import report
from inland.api.contracts import MinuteView
from inland.decide.verdicts import Cause, Verdict


@pytest.mark.parametrize("cause", [None, Cause.CAPACITY_LOST])
def test_a_minute_of_a_report_is_met_or_has_its_cause(cause):
    minute = MinuteView.of(Verdict(60, cause, 1, 0, 5, 1, 1, 1)).model_dump(mode="json")

    class Says:
        def run(self, *words: str) -> str:
            assert words[:2] == ("contract", "report")
            return json.dumps({"contracts": [{"minutes": [minute]}]})

    assert report(Says(), "demo") == {60: "met" if cause is None else cause.value}
