"""/factory/v1/vault: who may look, check, withdraw and give back."""

import pytest

from inland.ports.keys import KeyName

PATH = "/factory/v1/vault"


def test_a_tenants_admin_withdraws_and_gives_back_its_own_and_no_others(factory):
    admin = factory.as_("acme-admin")
    assert admin.post(f"{PATH}/withdraw", json={}).json()["withdrawn"] is True
    assert factory.plant.vault_keys.withdrawn() == {"acme"}
    assert admin.post(f"{PATH}/withdraw", json={"tenant": "demo"}).status_code == 404
    assert admin.post(f"{PATH}/give-back", json={"tenant": "demo"}).status_code == 404
    assert admin.post(f"{PATH}/give-back", json={"tenant": "acme"}).json()["withdrawn"] is False
    assert factory.plant.vault_keys.withdrawn() == frozenset()


def test_an_operator_says_whose(factory):
    operator = factory.as_("operator")
    assert operator.post(f"{PATH}/withdraw", json={}).status_code == 400
    assert operator.post(f"{PATH}/withdraw", json={"tenant": "nobody"}).status_code == 404
    assert operator.post(f"{PATH}/withdraw", json={"tenant": "acme"}).json()["id"] == "acme"
    assert operator.get(PATH).json() == {
        "keys": "embedded",
        "blobs": "folder",
        "keys_away": "",
        "blobs_away": "",
        "withdrawn": ["acme"],
        "stores": [
            {"store": name, "stands": country, "operated": country, "known": "declared"}
            for name, country in (("local", "DE"), ("annex", "DE"), ("abroad", "US"))
        ],
    }


@pytest.mark.parametrize("who", ["acme-member", "auditor"])
def test_others_withdraw_nothing(factory, who):
    for act in ("withdraw", "give-back"):
        reply = factory.as_(who).post(f"{PATH}/{act}", json={"tenant": "acme"})
        assert reply.status_code == 403
    assert factory.plant.vault_keys.withdrawn() == frozenset()


def test_a_check_tells_and_repairs(factory):
    factory.plant.vault_keys.make(KeyName("acme", "0198c2a1-key"))
    operator = factory.as_("operator")
    (found,) = operator.post(f"{PATH}/check", json={}).json()
    assert found == {
        "wrong": "orphan",
        "tenant": "acme",
        "asset": "0198c2a1-key",
        "part": None,
        "repaired": False,
    }
    (found,) = operator.post(f"{PATH}/check", json={"repair": True}).json()
    assert found["repaired"] is True
    assert operator.post(f"{PATH}/check", json={}).json() == []
