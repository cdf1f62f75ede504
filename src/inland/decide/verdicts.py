"""Whether a contract was kept, minute by minute, from the records of its tenant alone. Pure.

Whoever has the records and the contract's terms gets the same verdicts, for all of it is integers:
`Minutes` has the definitions, and docs/contracts.md says them for people.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from inland.domain.budgets import OVER_BUDGET
from inland.domain.contracts import MINUTE_S, TOKEN

SECOND_US = 1_000_000
MINUTE_US = MINUTE_S * SECOND_US
#: Longest time to first token that is told apart, in microseconds.
_LONGEST_US = 2**32 - 1
#: How a request ends that was lost, and one whose caller left (docs/formats.md).
_FAILED, _INTERRUPTED, _HUNG_UP, _COMPLETE = "failed", "interrupted", "hung-up", "complete"
_REFUSAL = "refusal"
#: The route of requests that are answered no token.
_EMBEDDINGS = "embeddings"
#: The status of a refusal that was none: its caller left while it waited.
LEFT = 499


class Cause(StrEnum):
    """Why a minute was breached."""

    OVER_CONTRACT = "over contract"
    CAPACITY_LOST = "capacity lost"
    ENGINE_SLOW = "engine slow"


@dataclass(frozen=True, slots=True)
class Terms:
    """What was sold, as its record on the books says it.

    `prompt_ppm`: parts of a token that a prompt token is charged. `stream_ppm`: parts a second that
    one answer is to get where the contract leaves it; 0 says nothing. From `since_unix_s` until
    `until_unix_s` (None: still).
    """

    tokens_per_second: int
    ttft_ms: int | None
    prompt_tokens: int
    burst_tokens: int
    prompt_ppm: int
    stream_ppm: int
    since_unix_s: int
    until_unix_s: int | None = None


class Fact(msgspec.Struct, gc=False):
    """What a verdict needs of a `request` or `refusal` record."""

    kind: str
    time: int
    deployment: str | None = None
    route: str = ""
    outcome: str = ""
    status: int | None = None
    code: str = ""
    count: int = 1
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    ttft_us: int | None = None
    duration_us: int | None = None
    stalled_us: int = 0
    waited_ms: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """One exercised minute. `cause` is None where it was met. Tokens are whole, rounded down.

    `requests` arrived in it, `lost` of them included. `ttft_p95_us`: None where there was none.
    """

    minute_unix_s: int
    cause: Cause | None
    requests: int
    lost: int
    ttft_p95_us: int | None
    served_tokens: int
    wanted_tokens: int
    owed_tokens: int


@dataclass(slots=True)
class _Minute:
    """Sums of one minute, in parts of a token. `since_us`: when what is wanting began."""

    requests: int = 0
    lost: int = 0
    unserved: int = 0
    begun: int = 0
    begun_charge: int = 0
    served: int = 0
    waiting: int = 0
    slow: int = 0
    touched: bool = False
    since_us: int | None = None
    ttfts_us: "array[int]" = field(default_factory=lambda: array("I"))

    def lacks_since(self, unix_us: int) -> None:
        if self.since_us is None or unix_us < self.since_us:
            self.since_us = unix_us


def is_ours(status: int | None) -> bool:
    """Whether a refusal or failure of that status is the factory's doing; unknown ones are."""
    return status is None or status == 429 or is_fault(status)


def is_fault(status: int | None) -> bool:
    """Whether a refusal of that status counts even where it names no deployment: against all."""
    return status is not None and status >= 500


def nearest_rank(sorted_values: list[int], percent: int) -> int | None:
    """The smallest value that `percent` of them do not exceed; None of none."""
    rank = -(-len(sorted_values) * percent // 100)
    return sorted_values[rank - 1] if sorted_values else None


class Minutes:
    """The minutes of one contract from `first` up to `last` (Unix minutes), as records come.

    A token is 1,000,000 parts; minutes are of UTC.

    **Charge** of a request: its completion tokens, and each prompt token that the engine had to
    read (prompt less cached) at `prompt_ppm` parts. **Waiting** is a request from its arrival to
    its first token, or to its end where it had none. **Served** in a minute: the charge of prompts
    whose waiting ended in it, and of each answer the part of its tokens that falls into it, taken
    as evenly spread from first token to end (records say no more), rounded down at each minute's
    end and whole at last.

    **Lost**: refused with 429 or 5xx, failed by such, or interrupted. What caller, policy or a
    budget caused is not. **Wanted** in a minute is what was served, and what was not but should
    have been: the charge of requests that wait at its end; for each lost in it that had no first
    token, the mean charge of those that arrived in it and had one (0 if none had); and what
    complete answers lacked of `stream_ppm` parts a second, callers that stalled excepted. **Owed**
    of that: N tokens/s since the earliest of these began, less the objective M (without one, a
    minute), within this minute.

    A minute is **breached** when the 95th percentile (nearest rank) of the times to first token of
    prompts of up to L tokens that arrived in it is above M (embeddings have none), when anything
    was lost in it, or when less was served than owed. A caller that left before its first token
    counts if it waited longer than M. The cause is **over contract** when more was wanted than 60 N
    and the burst, and all that was owed was served; else **capacity lost** when anything was lost;
    else **engine slow**. A minute in which nothing was wanted and nobody asked is not exercised.
    All others are **met**.

    Records may come in any order. What is kept is a few sums for each minute in which anything
    happened, and four bytes for each time to first token.
    """

    def __init__(self, terms: Terms, first: int, last: int) -> None:
        self.terms = terms
        in_force = -(-terms.since_unix_s // MINUTE_S)
        ends = last if terms.until_unix_s is None else terms.until_unix_s // MINUTE_S
        self.first, self.last = max(first, in_force), min(last, ends)
        self._minutes: dict[int, _Minute] = {}

    def __len__(self) -> int:
        """Minutes in force, exercised or not."""
        return max(0, self.last - self.first)

    def add(self, fact: Fact) -> None:
        """Take in one record of the contract's tenant and deployment."""
        if fact.time >= self.last * MINUTE_US:
            return
        if fact.kind == _REFUSAL:
            self._refused(fact)
        else:
            self._request(fact)

    def verdicts(self) -> Iterator[Verdict]:
        """Every exercised minute, in order."""
        for number in sorted(self._minutes):
            verdict = self._verdict(number, self._minutes[number])
            if verdict is not None:
                yield verdict

    def _at(self, number: int) -> _Minute | None:
        if not self.first <= number < self.last:
            return None
        minute = self._minutes.get(number)
        if minute is None:
            minute = self._minutes[number] = _Minute()
        return minute

    def _refused(self, fact: Fact) -> None:
        minute = self._at(fact.time // MINUTE_US)
        if minute is None:
            return
        if fact.status == LEFT:
            minute.requests += fact.count
            if self._is_late(fact.waited_ms * 1000):
                waited_us = min(fact.waited_ms * 1000, _LONGEST_US)
                minute.ttfts_us.extend([waited_us] * fact.count)
        elif is_ours(fact.status) and fact.code != OVER_BUDGET:
            minute.requests += fact.count
            minute.lost += fact.count
            minute.unserved += fact.count
            minute.lacks_since(fact.time)

    def _request(self, fact: Fact) -> None:
        ends = fact.time + (fact.duration_us or 0)
        first = ends if fact.ttft_us is None else min(fact.time + fact.ttft_us, ends)
        prompt = max(0, fact.prompt_tokens - fact.cached_tokens) * self.terms.prompt_ppm
        completion = fact.completion_tokens * TOKEN
        self._arrived(fact, prompt + completion)
        self._waited(fact.time, first, prompt + completion)
        self._served(first, ends, prompt, completion, steady=_is_steady(fact))

    def _arrived(self, fact: Fact, charge: int) -> None:
        minute = self._at(fact.time // MINUTE_US)
        if minute is None:
            return
        minute.requests += 1
        lost = fact.outcome in {_FAILED, _INTERRUPTED} and is_ours(fact.status)
        minute.lost += lost
        short = fact.route != _EMBEDDINGS and fact.prompt_tokens <= self.terms.prompt_tokens
        if fact.ttft_us is not None:
            minute.begun += 1
            minute.begun_charge += charge
            if short:
                minute.ttfts_us.append(min(fact.ttft_us, _LONGEST_US))
        elif lost:
            minute.unserved += 1
            minute.lacks_since(fact.time)
        elif fact.outcome == _HUNG_UP and short and self._is_late(fact.duration_us or 0):
            minute.ttfts_us.append(min(fact.duration_us or 0, _LONGEST_US))

    def _is_late(self, waited_us: int) -> bool:
        objective_ms = self.terms.ttft_ms
        return objective_ms is not None and waited_us > objective_ms * 1000

    def _waited(self, arrived: int, until: int, charge: int) -> None:
        """It waits at the end of every minute up to the one its waiting ended in."""
        for number in self._range(arrived, until):
            if (number + 1) * MINUTE_US <= until and (minute := self._at(number)) is not None:
                minute.touched = True
                minute.waiting += charge
                minute.lacks_since(arrived)

    def _served(self, first: int, ends: int, prompt: int, completion: int, *, steady: bool) -> None:
        """Spread what it got over the minutes it got it in."""
        if (minute := self._at(first // MINUTE_US)) is not None:
            minute.served += prompt
        pace = self.terms.stream_ppm if steady else 0
        for number in self._range(first, ends):
            minute = self._at(number)
            if minute is None:
                continue
            begin, end = max(number * MINUTE_US, first), min((number + 1) * MINUTE_US, ends)
            before = _spread(completion, first, ends, begin) if begin > first else 0
            part = (completion if end == ends else _spread(completion, first, ends, end)) - before
            minute.touched = True
            minute.served += part
            claim = min(pace * (end - begin) // SECOND_US, completion - before)
            if claim > part:
                minute.slow += claim - part
                minute.lacks_since(first)

    def _range(self, begin: int, end: int) -> range:
        """The minutes of ours that [begin, end] touches."""
        return range(max(begin // MINUTE_US, self.first), min(end // MINUTE_US + 1, self.last))

    def _verdict(self, number: int, minute: _Minute) -> Verdict | None:
        if not (minute.requests or minute.touched or minute.served):
            return None
        terms = self.terms
        mean = minute.begun_charge // minute.begun if minute.begun else 0
        wanted = minute.served + minute.waiting + minute.slow + minute.unserved * mean
        owed = min(wanted, self._owed(number, minute))
        p95_us = nearest_rank(sorted(minute.ttfts_us), 95)
        late = p95_us is not None and self._is_late(p95_us)
        short = minute.served < owed
        cause = None
        if late or minute.lost or short:
            limit = (terms.tokens_per_second * MINUTE_S + terms.burst_tokens) * TOKEN
            cause = _cause(over=wanted > limit and not short, lost=bool(minute.lost))
        return Verdict(
            minute_unix_s=number * MINUTE_S,
            cause=cause,
            requests=minute.requests,
            lost=minute.lost,
            ttft_p95_us=p95_us,
            served_tokens=minute.served // TOKEN,
            wanted_tokens=wanted // TOKEN,
            owed_tokens=owed // TOKEN,
        )

    def _owed(self, number: int, minute: _Minute) -> int:
        if minute.since_us is None:
            return 0
        objective_ms = self.terms.ttft_ms
        grace_us = MINUTE_US if objective_ms is None else objective_ms * 1000
        lacking_us = (number + 1) * MINUTE_US - minute.since_us - grace_us
        return self.terms.tokens_per_second * max(0, min(lacking_us, MINUTE_US))


def _is_steady(fact: Fact) -> bool:
    """Whether how fast its answer came is the engine's doing."""
    return fact.outcome == _COMPLETE and not fact.stalled_us and fact.ttft_us is not None


def _spread(completion: int, first: int, ends: int, until: int) -> int:
    return completion * (until - first) // (ends - first)


def _cause(*, over: bool, lost: bool) -> Cause:
    if over:
        return Cause.OVER_CONTRACT
    return Cause.CAPACITY_LOST if lost else Cause.ENGINE_SLOW
