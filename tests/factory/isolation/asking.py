"""Every route asked by every key: what there is beside what there is not."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from inland.api.contract import operations
from inland.bootstrap.contract import whole
from tests.factory.isolation.stage import CALLERS, STAFF, Stage
from tests.factory.isolation.table import BODIES, SLOTS, VALUES, Kind, slots
from tests.patience import PATIENCE_S

#: What differs between any two answers: the time, the ids and secrets that are made for each.
_HEADERS = frozenset({"date", "inland-receipt", "inland-entry", "x-request-id"})
_RANDOM = re.compile(r'"(id|key|created)": ?("[^"]*"|\d+)')
#: Nor with whom what is one's own was shared, by the questions before.
_MOMENT = re.compile(
    r'"(as_of|open)_unix_s": ?\d+|"shared_with": ?\[[^]]*\]|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC'
)
#: Operations whose parameters must be given.
_NAMED = frozenset({"records.export", "invoices.get", "invoices.page"})
AT_ONCE = 8
#: What says to come again, and how often that is done, a second apart.
BUSY, ASKED_AGAIN = 503, 60


@dataclass(frozen=True)
class Operation:
    """A route, as it is asked."""

    id: str
    method: str
    path: str
    roles: tuple[str, ...]
    public: bool
    slots: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """One request: who asks what. `slot` names `name`; without one, all are the caller's own."""

    caller: str
    operation: Operation
    slot: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Answer:
    """What came back. `text` and `headers` without what differs between any two answers."""

    status: int
    headers: tuple[tuple[str, str], ...]
    text: str
    raw: str


def every_operation() -> list[Operation]:
    """The routes of the contract."""
    named = list(slots())
    return [
        Operation(
            told["operationId"],
            method.upper(),
            path,
            tuple(told.get("x-inland-roles", ())),
            not told["security"],
            tuple(s for s in named if re.split("[.:]", _rest(s, told["operationId"]))[0] == ""),
        )
        for path, method, told in operations(whole())
    ]


def _rest(slot: str, operation: str) -> str:
    """What a slot says after its operation: empty at first where it is that operation's."""
    found = re.fullmatch(r"(.+)([.:])([^.:]+)", slot)
    assert found is not None
    return found[2] + found[3] if found[1] == operation else slot


def pairs(stage: Stage) -> Iterator[tuple[Case, Case]]:
    """For every key and every place where it can name something: a foreign name, and nobody's."""
    for operation in every_operation():
        for slot in operation.slots:
            kind = SLOTS[slot]
            if kind is not None:
                for caller in CALLERS:
                    if caller not in STAFF or _role(caller) not in operation.roles:
                        yield (
                            Case(caller, operation, slot, stage.foreign[kind]),
                            Case(caller, operation, slot, stage.unknown[kind]),
                        )


def bases() -> Iterator[Case]:
    """Every route asked by every key about its own."""
    for operation in every_operation():
        for caller in CALLERS:
            yield Case(caller, operation)


def _role(caller: str) -> str:
    return {"alpha-admin": "tenant-admin", "alpha-member": "member"}.get(caller, caller)


def is_let_in(case: Case) -> bool:
    """Whether the table of access has a row for it."""
    return case.operation.public or _role(case.caller) in case.operation.roles


def ask(stage: Stage, cases: list[Case]) -> list[Answer]:
    """All of them, some at a time; refusals of alpha's keys are counted by key."""
    with httpx.Client(base_url=stage.factory.url, timeout=PATIENCE_S) as http:

        def one(case: Case) -> Answer:
            answers = [_asked(stage, http, case)]
            while answers[-1].status == BUSY and len(answers) < ASKED_AGAIN:
                time.sleep(1)
                answers.append(_asked(stage, http, case))
            return answers[-1]

        with ThreadPoolExecutor(AT_ONCE) as pool:
            answers = list(pool.map(one, cases))
    for case, answer in zip(cases, answers, strict=True):
        known = case.caller.startswith("alpha") and not case.operation.public
        if known and 400 <= answer.status < 500:
            key = stage.key_ids[case.caller]
            stage.refused[key] = stage.refused.get(key, 0) + 1
    return answers


def _asked(stage: Stage, http: httpx.Client, case: Case) -> Answer:
    operation = case.operation
    path, query = operation.path, {}
    body = _filled(BODIES.get(operation.id), stage)
    for slot in operation.slots:
        kind, parameter = SLOTS[slot], re.split("[.:]", slot)[-1]
        value = VALUES.get(parameter, "") if kind is None else stage.own[kind]
        if slot == case.slot:
            assert case.name is not None
            value = case.name
        if ":" in slot:
            if slot == case.slot:
                assert not isinstance(body, bytes)
                body = _put(body or {}, parameter, value)
        elif f"{{{parameter}}}" in path:
            path = path.replace(f"{{{parameter}}}", value)
        elif value and (slot == case.slot or operation.id in _NAMED):
            query[parameter] = value
    key = stage.keys[case.caller]
    headers = {"authorization": f"Bearer {key}"} if key is not None else {}
    if isinstance(body, bytes):
        headers["content-type"] = "application/octet-stream"
        got = http.request(operation.method, path, params=query, content=body, headers=headers)
    else:
        got = http.request(operation.method, path, params=query, json=body, headers=headers)
    return _answer(got, case)


def _put(body: dict[str, Any], name: str, value: str) -> dict[str, Any]:
    given: Any = [value] if isinstance(body.get(name), list) else value
    kept = {} if name == "ref" else body
    return {**kept, name: given}


def _filled(body: Any, stage: Stage) -> Any:
    if isinstance(body, dict):
        return {name: _filled(value, stage) for name, value in body.items()}
    if isinstance(body, list):
        return [_filled(value, stage) for value in body]
    if isinstance(body, str) and body[:1] == "{":
        return stage.own[Kind(body[1:-1])]
    return body


def _answer(got: httpx.Response, case: Case) -> Answer:
    """Without what the caller itself named, what was made for it alone, and the time."""
    text = got.text
    if case.name is not None:
        text = text.replace(case.name, "*").replace(case.name.removeprefix("chatcmpl-"), "*")
    if got.is_success:
        text = _MOMENT.sub("*", _RANDOM.sub(r'"\1": *', text))
    left = _HEADERS | ({"content-length"} if '"shared_with":[' in got.text else set())
    headers = sorted((n, v) for n, v in got.headers.items() if n not in left)
    return Answer(got.status_code, tuple(headers), text, got.text)
