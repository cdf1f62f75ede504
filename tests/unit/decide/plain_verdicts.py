"""Verdicts once more, from exported records, in the plainest way: no sums kept, each minute asks
every record again, in exact fractions. Shares nothing with the package but JSON."""

from fractions import Fraction
from math import floor
from typing import Any

MINUTE = 60_000_000

Record = dict[str, Any]
Terms = dict[str, Any]


def verdict(records: list[Record], terms: Terms, minute: int) -> tuple[Any, ...] | None:
    """(cause, requests, lost, p95, served, wanted, owed) of a Unix minute; None: not exercised."""
    start, end = minute * MINUTE, (minute + 1) * MINUTE
    requests = [one for one in records if one["kind"] == "request"]
    came = [one for one in requests if start <= one["time"] < end]
    refused = [one for one in records if one["kind"] == "refusal" and start <= one["time"] < end]
    ours = [one for one in refused if _ours(one) and one.get("code") != "insufficient_quota"]
    left = [one for one in refused if one["status"] == 499]
    failed = [one for one in came if one["outcome"] in ("failed", "interrupted") and _ours(one)]
    lost = sum(one["count"] for one in ours) + len(failed)

    shares = [_share(one, terms, start, end) for one in requests]
    served = sum(shares)
    waiting = [one for one in requests if one["time"] < end <= _first(one)]
    slow = {i: _slow(one, terms, start, end) for i, one in enumerate(requests)}
    unserved = [one for one in failed if one["ttft_us"] is None]
    begun = [_charge(one, terms) for one in came if one["ttft_us"] is not None]
    mean = sum(begun) // len(begun) if begun else 0
    absent = sum(one["count"] for one in ours) + len(unserved)
    wanted = served + sum(_charge(one, terms) for one in waiting)
    wanted += sum(slow.values()) + absent * mean

    lacking = [one["time"] for one in (*ours, *waiting, *unserved)]
    lacking += [_first(one) for i, one in enumerate(requests) if slow[i]]
    owed = 0
    if lacking:
        objective = terms["ttft_ms"]
        grace = MINUTE if objective is None else objective * 1000
        due = min(max(end - min(lacking) - grace, 0), MINUTE)
        owed = min(wanted, terms["tokens_per_second"] * due)

    p95 = _p95(came, left, terms)
    late = p95 is not None and terms["ttft_ms"] is not None and p95 > terms["ttft_ms"] * 1000
    asked = len(came) + sum(one["count"] for one in (*ours, *left))
    crossing = [one for one in requests if _touches(one, start, end)]
    if not (asked or crossing):
        return None
    cause = None
    if late or lost or served < owed:
        limit = (60 * terms["tokens_per_second"] + terms["burst_tokens"]) * 10**6
        if wanted > limit and served >= owed:
            cause = "over contract"
        else:
            cause = "capacity lost" if lost else "engine slow"
    return (cause, asked, lost, p95, served // 10**6, wanted // 10**6, owed // 10**6)


def _ours(one: Record) -> bool:
    status = one.get("status")
    return status is None or status == 429 or status >= 500


def _end(one: Record) -> int:
    return int(one["time"] + (one["duration_us"] or 0))


def _first(one: Record) -> int:
    ttft = one["ttft_us"]
    return _end(one) if ttft is None else int(min(one["time"] + ttft, _end(one)))


def _prompt(one: Record, terms: Terms) -> int:
    return int(max(0, one["prompt_tokens"] - one["cached_tokens"])) * int(terms["prompt_ppm"])


def _charge(one: Record, terms: Terms) -> int:
    return _prompt(one, terms) + int(one["completion_tokens"]) * 10**6


def _answered(one: Record, until: int) -> int:
    """Parts of its tokens that it had before `until`."""
    first, end = _first(one), _end(one)
    all_of_it: int = one["completion_tokens"] * 10**6
    if until > end or (until == end and first < end):
        return all_of_it
    if until <= first:
        return 0
    return floor(Fraction(all_of_it) * Fraction(until - first, end - first))


def _share(one: Record, terms: Terms, start: int, end: int) -> int:
    prompt = _prompt(one, terms) if start <= _first(one) < end else 0
    return prompt + _answered(one, end) - _answered(one, start)


def _slow(one: Record, terms: Terms, start: int, end: int) -> int:
    steady = one["outcome"] == "complete" and not one.get("stalled_us", 0)
    ran = min(end, _end(one)) - max(start, _first(one))
    if not steady or one["ttft_us"] is None or ran < 0:
        return 0
    before = _answered(one, start)
    left = int(one["completion_tokens"]) * 10**6 - before
    claim = min(terms["stream_ppm"] * ran // 10**6, left)
    return int(max(0, claim - (_answered(one, end) - before)))


def _touches(one: Record, start: int, end: int) -> bool:
    """Whether it waits at the end of the minute, or its answer lies in it in part."""
    waits = one["time"] < end <= _first(one)
    return waits or (_first(one) < end and _end(one) >= start)


def _p95(came: list[Record], left: list[Record], terms: Terms) -> int | None:
    values = []
    objective = terms["ttft_ms"]

    def late(waited: int) -> bool:
        return objective is not None and waited > objective * 1000

    for one in came:
        if one["prompt_tokens"] > terms["prompt_tokens"] or one["route"] == "embeddings":
            continue
        if one["ttft_us"] is not None:
            values.append(one["ttft_us"])
        elif one["outcome"] == "hung-up" and late(one["duration_us"] or 0):
            values.append(one["duration_us"])
    for one in left:
        if late(one["waited_ms"] * 1000):
            values += [one["waited_ms"] * 1000] * one["count"]
    values.sort()
    for value in values:
        if 100 * sum(1 for other in values if other <= value) >= 95 * len(values):
            return int(value)
    return None
