"""Rollouts: who is answered by a new release, when more are, and when it is taken back.

Who asks is a key and the `user` that the request names: the same one is answered by the same
release as long as the share of users grows, whichever gateway hears it.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from inland.decide.lines.live_score import is_under, is_worse, score
from inland.domain.releases import Pace, Release, ReleaseState, Serving
from inland.domain.thumbs import NO_THUMB, Thumb

#: How long an engine keeps the adapter of a release that answers nobody any more, in seconds: for
#: those who asked before, and wait.
LINGER_S = 120
#: Percentages of one rollout, at most.
MAX_PERCENTS = 16
#: Beneath so many milliseconds no first token is called late: two noises are not compared.
TTFT_FLOOR_MS = 100


def point(release: str, key: str, user: str) -> int:
    """Where a user stands in a release's order, 0 to 99: the first are answered by it first.

    Another release has another order: the same users are not always the first to try."""
    drawn = sha256(f"{release}\0{key}\0{user}".encode()).digest()
    return int.from_bytes(drawn[:8]) % 100


def chosen(servings: Sequence[Serving], key: str, user: str) -> Serving:
    """Of the releases of one name the one that answers a user: the newest that reaches it."""
    for one in sorted(servings, key=lambda one: one.percent):
        if one.percent >= 100 or point(one.release, key, user) < one.percent:
            return one
    return max(servings, key=lambda one: one.percent)


def serving(releases: Iterable[Release]) -> dict[str, Serving]:
    """What gateways are told, by release."""
    return {
        one.id: Serving(
            one.id, one.tenant, one.name, one.deployment, one.adapter, one.percent, one.key
        )
        for one in releases
        if one.percent or one.state is ReleaseState.ON_TRIAL
    }


def loaded(releases: Iterable[Release], now_unix_s: int) -> dict[str, tuple[str, ...]]:
    """By deployment, the adapters that its engines are to have: of what serves, is on trial or is
    to be, of what was live before that and may be again at once, and of what some may wait for
    still."""
    known = list(releases)
    kept = _kept(known)
    wanted: dict[str, set[str]] = {}
    for one in known:
        present = _is_present(one) and not one.waits
        if present or (one.state in _PAST and not is_past(one, kept, now_unix_s)):
            wanted.setdefault(one.deployment, set()).add(one.adapter)
    return {name: tuple(sorted(adapters)) for name, adapters in sorted(wanted.items())}


def past(releases: Iterable[Release], now_unix_s: int) -> list[Release]:
    """Those that no engine need have any more, and that were not known as such."""
    known = list(releases)
    kept = _kept(known)
    return [one for one in known if one.state in _PAST and is_past(one, kept, now_unix_s)]


def lingers(releases: Iterable[Release]) -> bool:
    """Whether any of them goes when its time is over."""
    known = list(releases)
    kept = _kept(known)
    return any(one.state in _PAST and one.id not in kept for one in known)


def is_past(one: Release, kept: Collection[str | None], now_unix_s: int) -> bool:
    """Whether a release that answers nobody may go: nobody waits for it, and it is not what was
    live before one of those that serve."""
    if one.approved_by is None:
        return True
    return one.id not in kept and now_unix_s - one.since_unix_s >= LINGER_S


def _is_present(one: Release) -> bool:
    """What a run proposes was on trial: it stays where it is until somebody decides."""
    return one.state in _PRESENT or (one.state is ReleaseState.PROPOSED and bool(one.run))


def _kept(releases: Iterable[Release]) -> set[str | None]:
    return {one.before for one in releases if one.state in _PRESENT}


_PRESENT = frozenset(
    {
        ReleaseState.CANDIDATE,
        ReleaseState.ON_TRIAL,
        ReleaseState.APPROVED,
        ReleaseState.ROLLING_OUT,
        ReleaseState.LIVE,
    }
)
_PAST = frozenset({ReleaseState.ROLLED_BACK, ReleaseState.RETIRED})


@dataclass(frozen=True, slots=True)
class Seen:
    """What answers of one release came to in a window. `late_ms`: the time that 95 of 100 first
    tokens came within. `thumb`: what people said of them, since it went out."""

    answers: int = 0
    errors: int = 0
    late_ms: int = 0
    thumb: Thumb = NO_THUMB

    @property
    def error_percent(self) -> float:
        """Of a hundred answers."""
        return 100 * self.errors / self.answers if self.answers else 0.0

    def figures(self) -> dict[str, int]:
        """As records have them."""
        return {
            "answers": self.answers,
            "errors": self.errors,
            "ttft_ms": self.late_ms,
            "thumbs": self.thumb.all,
            "thumbs_up": self.thumb.ups,
        }


def percents_wrong(percents: Sequence[int]) -> str:
    """Why a release cannot go out by these; empty where it can."""
    rising = list(percents) == sorted(set(percents)) and len(percents) <= MAX_PERCENTS
    if rising and all(1 <= one <= 100 for one in percents):
        return ""
    return f"give at most {MAX_PERCENTS} rising whole numbers from 1 to 100: [10, 50, 100]"


class Then(StrEnum):
    """What a rollout does next."""

    WAIT = "wait"
    GO_ON = "go-on"
    ROLL_BACK = "roll-back"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is next, and why, as records say it."""

    then: Then
    why: str


def verdict(pace: Pace, candidate: Seen, incumbent: Seen, lasted_s: int) -> Verdict:
    """What is next for a release that has had its share of users for so long.

    `incumbent`: what the release that is live came to in the same window. Nothing is judged by
    fewer than `pace.samples` answers, but for the time they may take; what people say of them is
    judged by no fewer than `pace.thumbs`, and by what is sure of it.
    """
    enough = candidate.answers >= pace.samples
    told = f"{candidate.answers} answers"
    wrong = _wrong(pace, candidate, incumbent) if enough else ""
    if wrong := wrong or _unliked(pace, candidate, incumbent):
        return Verdict(Then.ROLL_BACK, f"{wrong}, in {told}")
    if not enough:
        return Verdict(Then.WAIT, f"{told}, and {pace.samples} say something")
    if lasted_s < pace.soak_s:
        return Verdict(Then.WAIT, f"{lasted_s} s of {pace.soak_s} are over")
    return Verdict(Then.GO_ON, f"nothing against it in {told} and {lasted_s} s")


def _wrong(pace: Pace, candidate: Seen, incumbent: Seen) -> str:
    """What is worse than it may be; empty where nothing is."""
    return _too_much(pace, candidate) or _worse(pace, candidate, incumbent)


def _too_much(pace: Pace, candidate: Seen) -> str:
    """What is beyond what may be, whatever was live."""
    if pace.errors_most is not None and candidate.error_percent > 100 * pace.errors_most:
        return f"{candidate.error_percent:.1f} % errors, at most {100 * pace.errors_most:.1f}"
    if pace.ttft_ms_most is not None and candidate.late_ms > pace.ttft_ms_most:
        return f"first tokens within {candidate.late_ms} ms (95 %), at most {pace.ttft_ms_most}"
    return ""


def _worse(pace: Pace, candidate: Seen, incumbent: Seen) -> str:
    """What is worse than what is live by more than it may be."""
    compared = incumbent.answers >= pace.samples
    before = incumbent if compared else Seen()
    most = before.error_percent + pace.error_points
    if candidate.error_percent > most:
        return f"{candidate.error_percent:.1f} % errors, at most {most:.1f}"
    late_ms = max(before.late_ms, TTFT_FLOOR_MS) * (100 + pace.ttft_percent) // 100
    if compared and candidate.late_ms > late_ms:
        return f"first tokens within {candidate.late_ms} ms (95 %), at most {late_ms}"
    return ""


def _unliked(pace: Pace, candidate: Seen, incumbent: Seen) -> str:
    """What people surely like less than they may; empty where nothing is sure."""
    liked, before = score(candidate.thumb), score(incumbent.thumb)
    if liked is None or liked.count < pace.thumbs:
        return ""
    least = pace.live_score_least
    if least is not None and is_under(liked, least):
        return f"a live score of {liked}, at least {100 * least:.0f}"
    if before is None or before.count < pace.thumbs:
        return ""
    if is_worse(liked, before, pace.score_points / 100):
        return f"a live score of {liked}, against {before}"
    return ""
