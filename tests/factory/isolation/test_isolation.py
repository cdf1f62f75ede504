"""One tenant's key learns nothing of another tenant, by whichever route or command it asks."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.reference import tree
from tests.factory.isolation import table
from tests.factory.isolation.asking import (
    Answer,
    Case,
    ask,
    bases,
    every_operation,
    is_let_in,
    pairs,
)
from tests.factory.isolation.stage import (
    DEAD,
    STAFF,
    Stage,
    stage,
)
from tests.factory.isolation.table import COMMANDS, ENDING, NOT_REFUSED, OPEN, SLOTS, Kind
from tests.factory.running import MODEL
from tests.patience import until

#: Where alpha named something itself (a limit of its own key, what it was refused), it is told so.
SAID_ITSELF = (
    *('"models":["private"]', '"deployment":"private"'),
    *('"shared_with":["beta","zeta"]', '"shared_with":["beta"]'),
)


@pytest.fixture(scope="module")
def at_work(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> Iterator[Stage]:
    assert model_file.exists()
    with stage(tmp_path_factory.mktemp("isolation")) as made:
        yield made


def _told(case: Case, *answers: Answer) -> str:
    where = case.slot or case.operation.id
    return f"{case.caller} at {where}: " + " | ".join(f"{a.status} {a.raw[:300]}" for a in answers)


def test_every_place_where_a_route_takes_a_name_is_in_the_table():
    assert set(table.slots()) == SLOTS.keys()
    named = {one.id for one in every_operation()}
    assert named >= OPEN | ENDING | table.BODIES.keys()


def test_every_command_is_in_the_table():
    assert tree().keys() == COMMANDS.keys()


def test_what_is_foreign_answers_as_what_is_not_there(at_work: Stage):
    cases = list(pairs(at_work))
    flat = [case for pair in cases for case in pair]
    answers = ask(at_work, flat)
    assert len(cases) > 100
    for number, (case, _) in enumerate(cases):
        foreign, unknown = answers[2 * number : 2 * number + 2]
        same = (foreign.status, foreign.headers, foreign.text)
        assert same == (unknown.status, unknown.headers, unknown.text), _told(
            case, foreign, unknown
        )
        if case.caller in DEAD and not case.operation.public:
            assert foreign.status == 401, _told(case, foreign)
        elif not is_let_in(case):
            assert foreign.status == 403, _told(case, foreign)
        elif case.slot not in NOT_REFUSED:
            assert 400 <= foreign.status < 500, _told(case, foreign)


def test_no_answer_tells_of_another_tenant_and_ones_own_is_answered(at_work: Stage):
    cases = [c for c in bases() if c.caller not in STAFF and c.operation.id not in ENDING]
    for case, answer in zip(cases, ask(at_work, cases), strict=True):
        said = answer.raw
        for itself in SAID_ITSELF:
            said = said.replace(itself, "")
        for mark in at_work.marks:
            assert mark not in said, _told(case, answer)
            assert not any(mark in value for _, value in answer.headers), _told(case, answer)
        if case.caller in DEAD and not case.operation.public:
            assert answer.status == 401, _told(case, answer)
        elif not is_let_in(case):
            assert answer.status == 403, _told(case, answer)
        elif case.operation.id in OPEN:
            assert answer.status in {200, 201, 202}, _told(case, answer)


def test_the_staff_sees_both_tenants_where_the_table_lets_it(at_work: Stage):
    """So that none of this passes because everything is refused."""
    for path in ("/factory/v1/usage?tenant=beta", "/factory/v1/records?tenant=beta"):
        for caller in STAFF:
            with at_work.factory.http() as http:
                headers = {"authorization": f"Bearer {at_work.keys[caller]}"}
                assert "private" in http.get(path, headers=headers).text
    with at_work.factory.http("beta") as http:
        assert "private" in http.get("/v1/models").text
        assert http.get("/v1/models/private").status_code == 200


def test_a_tenant_ends_a_key_of_its_own_alone(at_work: Stage):
    with at_work.factory.http() as http:
        headers = {"authorization": f"Bearer {at_work.keys['alpha-admin']}"}
        path = "/factory/v1/keys/{}/revoke"
        spare = path.format(at_work.own[Kind.KEY])
        assert http.post(spare, headers=headers).json()["revoked"] is True
    with at_work.factory.http("beta") as http:
        assert http.get("/v1/models").status_code == 200


def test_a_prompt_of_another_tenant_shows_in_no_count(at_work: Stage):
    said = "What does the harbour master write down each morning? " * 6

    def usage(caller: str, text: str) -> Any:
        body = {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 1}
        with at_work.factory.http(caller) as http:
            return http.post("/v1/chat/completions", json=body).json()["usage"]

    usage("beta", said)
    after = usage("alpha-member", said)
    assert after["prompt_tokens_details"]["cached_tokens"] == 0


def test_refusals_of_a_known_tenant_are_all_on_its_books(at_work: Stage):
    """Each 4xx that a key of alpha got, in this test or another, is counted, folded or not."""
    ask(at_work, [case for case in bases() if case.caller.startswith("alpha")])
    headers = {"authorization": f"Bearer {at_work.keys['auditor']}"}

    def counted() -> Counter[str]:
        found: Counter[str] = Counter()
        with at_work.factory.http() as http:
            lines = http.get("/factory/v1/records?tenant=alpha", headers=headers).text.splitlines()
        for record in map(json.loads, lines):
            if record["kind"] == "refusal":
                found[record["key"]] += record["count"]
        return found

    assert sum(at_work.refused.values()) > 30
    until(lambda: counted() == at_work.refused)


def test_a_command_with_a_tenants_key_tells_nothing_of_another(at_work: Stage):
    factory = at_work.factory
    factory.keys["alpha-admin"] = str(at_work.keys["alpha-admin"])
    ours = factory.as_tenant("alpha-admin")
    asked = [
        (command, kind, given)
        for command, names in COMMANDS.items()
        if not isinstance(names, str)
        for kind, given in names or [(Kind.TENANT, [])]
    ]

    def said(command: str, name: str, given: list[str]) -> tuple[int, str]:
        words = (*command.split()[1:], *(word.format(name) for word in given))
        done = ours.run(*words, check=False)
        text = (done.stdout + done.stderr).replace(name, "*")
        return done.returncode, text.replace(name.removeprefix("chatcmpl-"), "*")

    def both(one: tuple[str, Kind, list[str]]) -> list[tuple[int, str]]:
        command, kind, given = one
        return [
            said(command, name, given) for name in (at_work.foreign[kind], at_work.unknown[kind])
        ]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(both, asked))
    for (command, _, given), (foreign, unknown) in zip(asked, answers, strict=True):
        assert foreign == unknown, (command, foreign, unknown)
        assert not any(mark in foreign[1] for mark in at_work.marks), (command, foreign)
        assert "Traceback" not in foreign[1]
        assert not given or foreign[0] != 0, (command, foreign)
    assert len(asked) > 15
    assert "alpha" in ours.run("tenant", "list").stdout
