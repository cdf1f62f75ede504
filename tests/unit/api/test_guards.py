"""Guards over HTTP: operators set them, auditors see them, tenants neither."""

import pytest

from inland.domain.guards import Act, Guard
from inland.plant.declared import Declared
from tests.unit.plant.parts import SITE

PATH = "/factory/v1/guards"
BODY = {"name": "cards", "act": "redact", "finds": ["card"], "tenant": "acme"}


def test_a_guard_is_set_seen_and_removed(factory):
    operator = factory.as_("operator")
    made = operator.post(PATH, json=BODY)
    assert made.status_code == 201
    shown = made.json()
    assert shown["on"] == ["input", "output"]
    assert factory.as_("auditor").get(PATH).json() == [shown]
    anew = operator.post(PATH, json={**BODY, "act": "block", "on": ["output"]}).json()
    assert operator.get(PATH).json() == [anew]
    assert operator.delete(f"{PATH}/cards").status_code == 204
    assert operator.delete(f"{PATH}/cards").status_code == 404
    assert operator.get(PATH).json() == []


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"finds": ["nobody"]}, 400),
        ({"finds": []}, 400),
        ({"patterns": ["(a"]}, 400),
        ({"tenant": "nobody"}, 404),
        ({"deployment": "nothing"}, 404),
        ({"classifier": "nothing"}, 400),
        ({"act": "note", "classifier": "nothing", "category": "x"}, 404),
        ({"fails": "ajar"}, 422),
        ({"act": "shout"}, 422),
        ({"on": []}, 422),
    ],
)
def test_what_cannot_be_is_refused_whole(factory, changed, status):
    operator = factory.as_("operator")
    assert operator.post(PATH, json=BODY | changed).status_code == status
    assert operator.get(PATH).json() == []


@pytest.mark.parametrize("name", ["acme-admin", "acme-member"])
def test_a_tenant_neither_sets_nor_sees_them(factory, name):
    tenant = factory.as_(name)
    assert tenant.get(PATH).status_code == 403
    assert tenant.post(PATH, json=BODY).status_code == 403
    assert tenant.delete(f"{PATH}/cards").status_code == 403


def test_status_says_which_guards_wait_for_what_they_name(factory):
    waiting = Guard("cards", Act.BLOCK, ("card",), deployment="later", declared=True)
    factory.plant.begin(Declared(SITE, guards=(waiting,)))
    told = factory.as_("operator").get("/factory/v1/status").json()
    assert told["wrong"] == {"guard cards": "it waits for deployment 'later'"}
