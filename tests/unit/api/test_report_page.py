"""The page of a report: whole in itself, sound as HTML, and true to the verdicts it shows."""

import re
from html.parser import HTMLParser

import pytest

from inland.api.report_page import LISTED, page
from inland.decide.verdicts import Cause, Terms, Verdict
from inland.domain.contracts import Contract
from inland.domain.months import month_of
from inland.plant.reports import ContractMonth, Report

MONTH = month_of("2026-11")
BEGAN_S = MONTH.since_unix_s
VOID = {"meta", "rect"}


class Reader(HTMLParser):
    """Notes what there is, and demands that what opens also closes, in turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def _contract(tenant="acme", **more):
    return Contract("id-1", tenant, "smollm2", 10, 900, since_unix_s=BEGAN_S, **more)


def _month(contract, verdicts, minutes=30 * 1440):
    terms = Terms(10, 900, 512, 0, 123_456, 0, BEGAN_S)
    return ContractMonth(contract, terms, minutes, verdicts)


def _verdict(minute, cause=None):
    return Verdict(BEGAN_S + 60 * minute, cause, 3, 1, 1_234_000, 70, 80, 75)


def _page(*months):
    return page(Report(MONTH, MONTH.until_unix_s + 86_400, MONTH.until_unix_s, months), "log+00+k")


def test_it_shows_every_minute_where_it_belongs():
    verdicts = [_verdict(0), _verdict(1), _verdict(2, Cause.ENGINE_SLOW), _verdict(1440 + 7)]
    read = Reader(_page(_month(_contract(), verdicts)))
    rects = [one for tag, one in read.tags if tag == "rect" and "x" in one]
    shown = [(one["height"], one["x"], one["width"]) for one in rects]
    assert shown == [("3", "0", "2"), ("10", "2", "1"), ("3", "7", "1")]
    assert len({one["fill"] for one in rects}) == 2
    labels = [one["aria-label"] for tag, one in read.tags if "aria-label" in one]
    assert len(labels) == 30
    assert labels[0] == "Day 1: 2 minutes met, 1 breached"
    assert "75.00 % kept" in read.text
    assert "1,234 ms" in read.text


def test_it_loads_and_runs_nothing():
    read = Reader(_page(_month(_contract(), [_verdict(0, Cause.CAPACITY_LOST)])))
    assert {tag for tag, _ in read.tags}.isdisjoint({"script", "link", "img", "iframe", "a"})
    for _, attributes in read.tags:
        assert attributes.keys().isdisjoint({"src", "href", "style", "onload"})
    style = re.search(r"<style>(.*?)</style>", _page(), re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><b>', "&amp;", "'\x00"])
def test_no_name_becomes_markup(text):
    contract = _contract(text)
    read = Reader(_page(_month(contract, [_verdict(0)])))
    assert "script" not in {tag for tag, _ in read.tags}
    assert "b" not in {tag for tag, _ in read.tags}
    assert text.replace("\x00", "\ufffd") in read.text.replace("\x00", "\ufffd")


def test_short_of_all_is_never_shown_as_all():
    verdicts = [_verdict(n) for n in range(30_000)] + [_verdict(30_001, Cause.ENGINE_SLOW)]
    assert "99.99 % kept" in _page(_month(_contract(), verdicts))
    over = [_verdict(0), _verdict(1, Cause.OVER_CONTRACT)]
    assert "100.00 % kept" in _page(_month(_contract(), over))
    assert "Not exercised" in _page(_month(_contract(), []))


def test_what_is_listed_is_bounded_and_says_so():
    verdicts = [_verdict(2 * n, Cause.ENGINE_SLOW) for n in range(LISTED + 5)]
    text = _page(_month(_contract(), verdicts))
    assert "and 5 more stretches" in text
    assert text.count("<td>engine slow</td>") == LISTED


def test_a_month_under_way_says_what_may_still_come():
    as_of_s = BEGAN_S + 86_400 + 60
    report = Report(MONTH, as_of_s, as_of_s - 660, [_month(_contract(), [_verdict(0)])])
    text = page(report, "k")
    assert "answers under way may still be added" in text
    assert text.count('<svg viewBox="0 0 1440') == 2
    assert "answers under way" not in _page(_month(_contract(), []))


def test_without_contracts_it_says_so():
    assert "No contract was in force" in Reader(_page()).text
