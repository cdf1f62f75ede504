"""/factory/v1/feedback: by the tenant that was answered, and by nobody else."""

import json

import pytest

from tests.unit.api.conftest import RECORD

PATH = "/factory/v1/feedback"
MINE = {**RECORD, "deployment": "smollm2"}
RECEIPT = MINE["id"]
ASKED = [{"role": "user", "content": "Pump 7 leaks."}]
TAUGHT = {"receipt": RECEIPT, "thumbs": "down", "correction": "{}", "messages": ASKED}


@pytest.fixture
def asked(factory, monkeypatch):
    monkeypatch.setattr("inland.api.waiting.WAIT_S", 0.0)
    factory.books.records[RECEIPT] = MINE
    return factory


def test_who_was_answered_says_something_and_sees_what_was_said(asked):
    member = asked.as_("acme-member")
    given = member.post(PATH, json=TAUGHT)
    assert given.status_code == 200, given.text
    told = given.json()
    assert (told["model"], told["thumbs"], told["teaches"]) == ("smollm2", "down", True)
    shown = asked.as_("acme-admin").get(f"{PATH}/chatcmpl-{RECEIPT}").json()
    assert "Pump 7" in shown["words"]
    for name in ("acme-admin", "operator"):
        assert asked.as_(name).get(PATH).json() == [told]
    made = asked.as_("operator").post(
        f"{PATH}/collect", json={"tenant": "acme", "model": "smollm2"}
    )
    assert (made.status_code, made.json()["examples"]) == (200, 1), made.text
    assert member.delete(f"{PATH}/{RECEIPT}").status_code == 204
    assert member.get(PATH).json() == []


def test_anothers_answer_and_none_are_refused_alike(asked):
    member, demo = asked.as_("acme-member"), asked.as_("demo-member")
    assert member.post(PATH, json=TAUGHT).status_code == 200
    nobodys = RECEIPT[:-1] + "1"
    told = [
        demo.request(method, path, json=body)
        for receipt in (RECEIPT, nobodys)
        for method, path, body in (
            ("POST", PATH, {**TAUGHT, "receipt": receipt}),
            ("GET", f"{PATH}/{receipt}", None),
            ("DELETE", f"{PATH}/{receipt}", None),
        )
    ]
    assert {one.status_code for one in told} == {404}
    said = [one.text.replace(nobodys, RECEIPT) for one in told]
    assert said[:3] == said[3:]
    assert demo.get(PATH).json() == []
    assert demo.get(PATH, params={"tenant": "acme"}).status_code == 404


def test_what_is_no_request_is_nothing_to_speak_of(asked):
    asked.books.records[RECEIPT] = {**MINE, "kind": "refusal"}
    assert asked.as_("acme-member").post(PATH, json=TAUGHT).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"thumbs": "sideways"},
        {"messages": [{"role": "user", "content": "x", "name": "n"}]},
        {"messages": [{"role": "tool", "content": "x"}]},
        {"correction": ""},
        {"correction": "\ud800"},
        {"messages": [{"role": "user", "content": "\ud800"}]},
    ],
)
def test_what_cannot_be_learned_is_refused_whole(asked, wrong):
    member = asked.as_("acme-member")
    body = json.dumps(TAUGHT | wrong)  # what is no text is escaped
    got = member.post(PATH, content=body, headers={"content-type": "application/json"})
    assert got.status_code in {400, 422}, got.text
    assert member.get(PATH).json() == []
