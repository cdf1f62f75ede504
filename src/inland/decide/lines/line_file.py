"""A line's file: TOML text becomes a `Line`, or an error that names table and field and says what
would pass. Nothing that is not known is skipped."""

import tomllib
from collections.abc import Callable
from typing import Any, TypeVar, assert_never

from inland.decide.lines.rehearsal import QUESTIONS
from inland.decide.lines.rollout import percents_wrong
from inland.domain.assets import ASSET
from inland.domain.errors import BadInput
from inland.domain.ids import is_name
from inland.domain.lines import (
    Approval,
    Floor,
    Gate,
    Line,
    Method,
    MethodKind,
    Regression,
    Start,
    SuiteUse,
    Trigger,
    TriggerKind,
)
from inland.domain.releases import Pace

TEXT_BYTES = 64 << 10
#: With a base, an adapter to start from and a rehearsal, all that one asset can be made of.
MAX_NAMED = 61
MAX_SUITES, MAX_RULES, MAX_TRIGGERS = 32, 64, 8
MAX_NAME_CHARS = 200
#: Of metadata, as OpenAI's API has it.
MAX_TEXTS, MAX_TEXT_NAME, MAX_TEXT_CHARS = 16, 64, 512
_DAYS_S, _YEAR_HOURS = 30 * 86_400, 366 * 24
_MOST_SAMPLES, _MOST_TTFT_PERCENT = 1_000_000, 1_000

_Made = TypeVar("_Made")


def line_of(text: str) -> Line:
    """The line that `text` declares. Raises BadInput."""
    if len(text.encode("utf-8", "replace")) > TEXT_BYTES:
        raise BadInput("file", f"is longer than {TEXT_BYTES:,} bytes, which no line needs")
    try:
        said = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadInput("file", f"is no TOML: {error}") from None
    top = _Table("", said)
    data = top.table("data")
    made = Line(
        name=top.name("name"),
        base=top.name("base"),
        train=data.named("train"),
        holdout=data.named("holdout"),
        method=_method(top),
        suites=top.each("suite", MAX_SUITES, _suite),
        gate=_gate(top.table("gate")),
        release=(release := _release(top))[0],
        approve=release[1],
        rollout=_rollout(top),
        triggers=top.each("trigger", MAX_TRIGGERS, _trigger),
        once=top.flag("once", usual=False),
        metadata=top.texts("metadata"),
    )
    data.end()
    top.end()
    _demand_whole(made)
    return made


def _demand_whole(line: Line) -> None:
    """What no field is wrong about, but all of them together."""
    if not line.suites:
        raise BadInput("suite", "there is none: add a [[suite]] with a name and an asset")
    named = [suite.name for suite in line.suites]
    for name in named:
        if named.count(name) > 1:
            raise BadInput("suite", f"two are called {name!r}: give each a name of its own")
    if not line.gate.suites:
        why = "asks for nothing, so it would pass anything: add a [[gate.score]]"
        raise BadInput("gate", why)
    for suite in line.gate.suites:
        if suite not in named:
            raise BadInput("gate", f"names suite {suite!r}; there are {', '.join(named)}")
    if line.method is None:
        _demand_untrained(line)
    else:
        _demand_trainable(line, line.method)
    if line.rollout is not None and line.release is None:
        raise BadInput("rollout", "rolls nothing out: add [release] with a name")
    kinds = {one.kind for one in line.triggers}
    if TriggerKind.SCORE in kinds and line.release is None:
        raise BadInput("trigger", "a score is of what serves under a release: add [release]")


def _demand_trainable(line: Line, method: Method) -> None:
    """With one there is something to train on, and from."""
    if not line.train:
        raise BadInput("data.train", "names no dataset, and a [method] needs one")
    if method.patience and not line.holdout:
        why = "names no dataset, and method.patience looks at the loss of one"
        raise BadInput("data.holdout", why)
    if method.start is Start.LIVE and line.release is None:
        raise BadInput("method.start", "live is what serves under a release: add [release]")


def _demand_untrained(line: Line) -> None:
    """Without a method there is nothing to train on, to compare, to release."""
    given = {
        "data": bool(line.train or line.holdout),
        "release": line.release is not None,
        "gate.regression": bool(line.gate.regressions),
    }
    for table, there in given.items():
        if there:
            raise BadInput(table, "takes a [method]: without one nothing is trained")


def _method(top: "_Table") -> Method | None:
    table = top.maybe("method")
    if table is None:
        return None
    usual = Method()
    made = Method(
        kind=table.choice("kind", MethodKind, usual.kind),
        start=table.choice("start", Start, usual.start),
        rank=table.whole("rank", 1, 512, usual.rank),
        alpha=table.whole("alpha", 1, 2048, usual.alpha),
        learning_rate=table.number("learning_rate", 1e-8, 1.0, usual.learning_rate),
        epochs=table.whole("epochs", 1, 1000, usual.epochs),
        batch=table.whole("batch", 1, 4096, usual.batch),
        max_tokens=table.whole("max_tokens", 16, 131_072, usual.max_tokens),
        rehearsal=table.whole("rehearsal", 0, len(QUESTIONS), usual.rehearsal),
        patience=table.whole("patience", 0, 100, usual.patience),
        packing=table.flag("packing", usual=usual.packing),
        seed=table.whole("seed", 0, 2**31 - 1, usual.seed),
        checkpoint_steps=table.whole("checkpoint_steps", 1, 100_000, usual.checkpoint_steps),
        gradient_checkpointing=table.flag(
            "gradient_checkpointing", usual=usual.gradient_checkpointing
        ),
    )
    table.end()
    return made


def _suite(table: "_Table") -> SuiteUse:
    return SuiteUse(table.name("name"), table.asset("asset"))


def _gate(table: "_Table") -> Gate:
    made = Gate(
        table.each("score", MAX_RULES, _floor),
        table.each("regression", MAX_RULES, _regression),
        table.each("safety", MAX_RULES, _floor),
    )
    table.end()
    return made


def _floor(table: "_Table") -> Floor:
    return Floor(table.name("suite"), table.number("least", 0.0, 1.0))


def _regression(table: "_Table") -> Regression:
    return Regression(table.name("suite"), table.number("most", 0.0, 1.0))


def _release(top: "_Table") -> tuple[str | None, Approval]:
    table = top.maybe("release")
    if table is None:
        return None, Approval.PERSON
    made = table.name("name"), table.choice("approve", Approval, Approval.PERSON)
    table.end()
    return made


def _rollout(top: "_Table") -> Pace | None:
    table = top.maybe("rollout")
    if table is None:
        return None
    usual = Pace()
    made = Pace(
        percents=table.percents("percents", usual.percents),
        soak_s=table.whole("soak_s", 0, _DAYS_S, usual.soak_s),
        samples=table.whole("samples", 0, _MOST_SAMPLES, usual.samples),
        error_points=table.whole("error_points", 0, 100, usual.error_points),
        ttft_percent=table.whole("ttft_percent", 0, _MOST_TTFT_PERCENT, usual.ttft_percent),
        score_points=table.whole("score_points", 0, 100, usual.score_points),
        thumbs=table.whole("thumbs", 1, _MOST_SAMPLES, usual.thumbs),
        errors_most=table.number_if("errors_most", 0.0, 1.0),
        ttft_ms_most=table.whole_if("ttft_ms_most", 1, 3_600_000),
        live_score_least=table.number_if("live_score_least", 0.0, 1.0),
    )
    table.end()
    return made


def _trigger(table: "_Table") -> Trigger:
    kind: TriggerKind = table.choice("on", TriggerKind)
    match kind:
        case TriggerKind.DATA:
            return Trigger(kind)
        case TriggerKind.SCHEDULE:
            return Trigger(kind, table.whole("hours", 1, _YEAR_HOURS))
        case TriggerKind.FEEDBACK:
            table.demand_some("corrections", "thumbs")
            return Trigger(
                kind,
                corrections=table.whole_if("corrections", 1, _MOST_SAMPLES),
                thumbs=table.whole_if("thumbs", 1, _MOST_SAMPLES),
            )
        case TriggerKind.SCORE:
            table.demand_some("points", "least")
            return Trigger(
                kind,
                hours=table.whole_if("hours", 1, _YEAR_HOURS),
                thumbs=table.whole("thumbs", 1, _MOST_SAMPLES, Pace().thumbs),
                points=table.whole_if("points", 0, 100),
                least=table.number_if("least", 0.0, 1.0),
            )
        case _:
            assert_never(kind)


class _Table:
    """One table of the file, `at` where it stands; what was read of it is noted, so that what was
    not can be refused."""

    def __init__(self, at: str, said: dict[str, Any]) -> None:
        self._at = at
        self._said = said
        self._read: set[str] = set()

    def demand_some(self, *fields: str) -> None:
        """Raise BadInput where none of them is there."""
        if not any(field in self._said for field in fields):
            raise self._wrong(fields[0], f"is missing: give {' or '.join(fields)}")

    def end(self) -> None:
        """Raise BadInput for what nobody read."""
        for field in self._said:
            if field not in self._read:
                known = ", ".join(sorted(self._read))
                raise self._wrong(field, f"there is no such field; there are {known}")

    def table(self, field: str) -> "_Table":
        """An empty one where there is none."""
        return self.maybe(field) or _Table(self._where(field), {})

    def maybe(self, field: str) -> "_Table | None":
        self._read.add(field)
        if field not in self._said:
            return None
        if not isinstance(self._said[field], dict):
            raise self._wrong(field, f"is a table: write [{self._where(field)}] above its fields")
        return _Table(self._where(field), self._said[field])

    def each(self, field: str, most: int, make: Callable[["_Table"], _Made]) -> tuple[_Made, ...]:
        """Of a row of tables."""
        self._read.add(field)
        found = self._said.get(field, [])
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            why = f"is a row of tables: write [[{self._where(field)}]] above each one's fields"
            raise self._wrong(field, why)
        if len(found) > most:
            raise self._wrong(field, f"there are {len(found)}; give at most {most}")
        made = []
        for number, one in enumerate(found, 1):
            table = _Table(f"{self._where(field)}[{number}]", one)
            made.append(make(table))
            table.end()
        return tuple(made)

    def name(self, field: str) -> str:
        found = self._text(field)
        if not is_name(found):
            raise self._wrong(field, f"{found!r}: use a-z, 0-9, '.', '_' and '-', at most 63")
        return found

    def asset(self, field: str) -> str:
        return self._asset(field, self._text(field))

    def named(self, field: str) -> tuple[str, ...]:
        """Assets, by name or id."""
        self._read.add(field)
        found = self._said.get(field, [])
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self._wrong(field, 'is a list of names or ids, such as ["notes"]')
        if len(found) > MAX_NAMED or len(set(found)) != len(found):
            raise self._wrong(field, f"name each asset once, and at most {MAX_NAMED}")
        return tuple(self._asset(field, one) for one in found)

    def choice(self, field: str, of: Any, usual: Any = None) -> Any:
        if usual is not None and field not in self._said:
            self._read.add(field)
            return usual
        found = self._text(field)
        try:
            return of(found)
        except ValueError:
            known = ", ".join(one.value for one in of)
            raise self._wrong(field, f"{found!r} is not known here; give one of {known}") from None

    def flag(self, field: str, *, usual: bool) -> bool:
        self._read.add(field)
        found = self._said.get(field, usual)
        if not isinstance(found, bool):
            raise self._wrong(field, f"is {found!r}; give true or false")
        return found

    def whole(self, field: str, least: int, most: int, usual: int | None = None) -> int:
        found = self._given(field, usual)
        if type(found) is not int or not least <= found <= most:
            raise self._wrong(field, f"is {found!r}; give a whole number from {least} to {most}")
        return found

    def whole_if(self, field: str, least: int, most: int) -> int | None:
        self._read.add(field)
        return self.whole(field, least, most) if field in self._said else None

    def number(self, field: str, least: float, most: float, usual: float | None = None) -> float:
        found = self._given(field, usual)
        if type(found) not in {int, float} or not least <= found <= most:
            raise self._wrong(field, f"is {found!r}; give a number from {least:g} to {most:g}")
        return float(found)

    def number_if(self, field: str, least: float, most: float) -> float | None:
        self._read.add(field)
        return self.number(field, least, most) if field in self._said else None

    def texts(self, field: str) -> dict[str, str]:
        """A table of texts, under names of any kind."""
        self._read.add(field)
        found = self._said.get(field, {})
        if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
            raise self._wrong(field, f"is a table of texts: [{self._where(field)}] above them")
        long = [name for name, text in found.items() if len(text) > MAX_TEXT_CHARS]
        if len(found) > MAX_TEXTS or long or any(len(name) > MAX_TEXT_NAME for name in found):
            most = f"{MAX_TEXTS} names of {MAX_TEXT_NAME} characters, texts of {MAX_TEXT_CHARS}"
            raise self._wrong(field, f"is too much: give at most {most}")
        return dict(found)

    def percents(self, field: str, usual: tuple[int, ...]) -> tuple[int, ...]:
        self._read.add(field)
        found = self._said.get(field, list(usual))
        whole = isinstance(found, list) and all(type(one) is int for one in found)
        if wrong := percents_wrong(found) if whole else "is a list of whole numbers: [10, 50, 100]":
            raise self._wrong(field, wrong)
        return tuple(found)

    def _asset(self, field: str, found: str) -> str:
        plain = found.removeprefix(ASSET)
        if not plain.strip() or len(plain) > MAX_NAME_CHARS or not plain.isprintable():
            raise self._wrong(field, f"{found!r} is no asset's name and no {ASSET}ID")
        return found

    def _text(self, field: str) -> str:
        found = self._given(field, None)
        if not isinstance(found, str):
            raise self._wrong(field, f"is {found!r}; give a text in quotes")
        return found

    def _given(self, field: str, usual: Any) -> Any:
        self._read.add(field)
        found = self._said.get(field, usual)
        if found is None:
            raise self._wrong(field, "is missing: add it")
        return found

    def _where(self, field: str) -> str:
        return f"{self._at}.{field}" if self._at else field

    def _wrong(self, field: str, why: str) -> BadInput:
        return BadInput(self._where(field), why)
