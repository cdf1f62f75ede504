"""Totals never go back, whichever gateway came or went; a broken one spoils nothing."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from inland.api.totals import MAX_SERIES, Totals


def told(writer, count, buckets=(0, 0), found=None):
    """What a gateway that counted `count` requests says."""
    histogram = {"labels": ["d"], "bounds_s": [0.1], "series": [[["x"], list(buckets), 1.5]]}
    return SimpleNamespace(
        writer=writer,
        found=found,
        metrics={
            "counters": {"requests": {"labels": ["d"], "series": [[["x"], count]]}},
            "histograms": {"ttft_seconds": histogram},
            "gauges": {"queue": {"labels": [], "series": [[[], count]]}},
        },
    )


def _requests(sums):
    family = sums.get("counters", {}).get("requests")
    return family.series[("x",)][0] if family else 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.booleans()), max_size=30))
def test_totals_equal_what_every_life_counted(events):
    totals, ended = Totals(), 0
    lives: dict[str, tuple[str, int]] = {}
    for number, (name, more, dies) in enumerate(events):
        writer, count = lives.get(name, (f"{name}{number}", 0))
        lives[name] = (writer, count + more)
        heard = [told(*life) for life in lives.values()]
        counted = ended + sum(count for _, count in lives.values())
        assert _requests(totals.observe(heard, [])) == counted
        if dies:
            ended += lives.pop(name)[1]


@given(st.integers(0, 50), st.integers(0, 50))
def test_what_was_counted_before_control_began_is_counted_by_the_one_before(before, more):
    """A control that starts anew finds gateways that have counted for long."""
    first = told("a", before)
    totals = Totals()
    assert _requests(totals.observe([told("a", before, found=first.metrics)], [])) == 0
    grown = told("a", before + more, found=first.metrics)
    assert _requests(totals.observe([grown], [])) == more
    assert _requests(totals.observe([], [])) == more


def test_a_life_that_ends_between_two_looks_is_counted():
    totals = Totals()
    totals.keep([told("a", 5)])
    totals.keep([])
    assert _requests(totals.observe([], [])) == 5


def test_gauges_are_of_the_living_alone():
    dead, alive = told("a", 5), told("b", 7)
    sums = Totals().observe([dead, alive], [alive])
    assert sums["gauges"]["queue"].series[()] == [7.0]
    assert _requests(sums) == 12


def test_series_are_bounded():
    totals = Totals()
    series = [[[str(number)], 1] for number in range(MAX_SERIES + 10)]
    many = {"counters": {"requests": {"labels": ["d"], "series": series}}}
    sums = totals.observe([SimpleNamespace(writer="w", metrics=many, found=None)], [])
    assert len(sums["counters"]["requests"].series) == MAX_SERIES


def test_metrics_are_well_formed_and_for_the_operator(factory):
    factory.feed.metrics = told("w", 3, (1, 2)).metrics
    factory.replicas.step()
    assert factory.as_("auditor").get("/metrics").status_code == 403
    text = factory.as_("operator").get("/metrics").text
    families = {one.name: one for one in text_string_to_metric_families(text)}
    assert families["inland_requests"].samples[0].value == 3
    buckets = {s.labels.get("le"): s.value for s in families["inland_ttft_seconds"].samples}
    assert (buckets["0.1"], buckets["+Inf"]) == (1, 3)
    assert families["inland_replicas"].samples[0].labels["deployment"] == "smollm2"
