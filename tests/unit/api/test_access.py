"""Who may ask for what: deny by default, and what is foreign looks like what is unknown."""

import pytest

from inland.api.access import ACCESS
from inland.api.app import PUBLIC, operations, routes
from inland.api.contract import operation_of
from inland.domain.plant import Role

KEYS = {
    "operator": Role.OPERATOR,
    "auditor": Role.AUDITOR,
    "acme-admin": Role.TENANT_ADMIN,
    "acme-member": Role.MEMBER,
}


#: What stands for a name in a path.
NAMES = dict.fromkeys(
    (
        *("tenant", "key", "name", "contract", "asset", "export", "job", "release"),
        *("line", "run", "receipt", "file", "batch", "job"),
    ),
    "nope",
)


def test_every_route_is_in_the_table_or_public_by_name():
    asked = operations()
    assert len(asked) == len(routes()) > 20
    assert {path for path, operation in asked if operation is None} == PUBLIC
    assert {operation for _, operation in asked} - {None} == ACCESS.keys()


@pytest.mark.parametrize("name", KEYS)
def test_no_role_gets_past_the_table(factory, name):
    client = factory.as_(name)
    for route in routes():
        operation = operation_of(route)
        if operation is None or operation.startswith("receipts."):
            continue
        (method,) = set(route.methods or ())
        path = route.path.format_map({**NAMES, "number": "0"})
        got = client.request(method, path, json={})
        if KEYS[name] in ACCESS[operation]:
            assert got.status_code not in {401, 403}, (path, got.text)
        else:
            assert got.status_code == 403, (path, got.text)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer ",
        "Bearer inl_aaaaaaaaaaaaaaaa_" + "a" * 48,
        "Basic {key}",
        "Bearer {key}x",
        "Bearer {wrong}",
    ],
)
def test_without_a_key_that_works_nothing_is_answered(factory, header):
    key = factory.keys["operator"]
    wrong = key[:-1] + ("a" if key[-1] != "a" else "b")
    headers = {} if header is None else {"authorization": header.format(key=key, wrong=wrong)}
    client = factory.as_(None)
    for route in routes():
        if route.path in PUBLIC:
            continue
        (method,) = set(route.methods or ())
        got = client.request(method, route.path.replace("{", "").replace("}", ""), headers=headers)
        assert got.status_code == 401, (route.path, got.text)
        wanted = "json" if route.path.startswith("/v1/") else "problem+json"
        assert got.headers["content-type"] == f"application/{wanted}"


def test_a_revoked_or_expired_key_opens_nothing(factory):
    factory.plant.keys.revoke("op", factory.key_ids["auditor"])
    assert factory.as_("auditor").get("/factory/v1/status").status_code == 401
    soon = factory.plant.clock.unix_us() // 1_000_000 + 10
    _, factory.keys["brief"] = factory.plant.keys.add("op", "acme", expires_unix_s=soon)
    assert factory.as_("brief").get("/factory/v1/usage").status_code == 200
    factory.plant.clock.sleep(11)
    assert factory.as_("brief").get("/factory/v1/usage").status_code == 401


@pytest.mark.parametrize("tenant", ["demo", "nobody"])
def test_a_tenant_reaches_no_other_tenants_things(factory, tenant):
    admin = factory.as_("acme-admin")
    answers = [
        admin.get("/factory/v1/keys", params={"tenant": tenant}),
        admin.post("/factory/v1/keys", json={"tenant": tenant}),
        admin.get("/factory/v1/usage", params={"tenant": tenant}),
        admin.get("/factory/v1/records", params={"tenant": tenant}),
    ]
    assert {one.status_code for one in answers} == {404}
    foreign, unknown = (
        admin.post(f"/factory/v1/keys/{key}/revoke")
        for key in (factory.key_ids["demo-member"], "nope")
    )
    assert foreign.status_code == unknown.status_code == 404
    assert not factory.plant.snapshot.keys[factory.key_ids["demo-member"]].revoked
    foreign, unknown = (
        admin.post(f"/factory/v1/keys/{key}/rotate", json={})
        for key in (factory.key_ids["demo-member"], "nope")
    )
    assert foreign.status_code == unknown.status_code == 404


def test_a_tenant_admin_keeps_its_own_keys_and_makes_no_operator(factory):
    admin = factory.as_("acme-admin")
    made = admin.post("/factory/v1/keys", json={"models": ["smollm2"]}).json()
    assert made["tenant"] == "acme"
    assert made["key"].startswith(f"inl_{made['id']}_")
    listed = admin.get("/factory/v1/keys").json()
    assert {one["tenant"] for one in listed} == {"acme"}
    assert all("key" not in one and "secret_sha256" not in one for one in listed)
    for role in ("operator", "auditor"):
        assert admin.post("/factory/v1/keys", json={"role": role}).status_code == 400
    rotated = admin.post(f"/factory/v1/keys/{made['id']}/rotate", json={"overlap_s": 60}).json()
    assert rotated["key"].startswith(f"inl_{rotated['id']}_")
    assert rotated["before"]["successor"] == rotated["id"]
    assert "key" not in rotated["before"]
    member = factory.as_("acme-member")
    assert member.post(f"/factory/v1/keys/{rotated['id']}/rotate", json={}).status_code == 403
    for wrong in (-1, 10**9, "long"):
        body = {"overlap_s": wrong}
        got = admin.post(f"/factory/v1/keys/{rotated['id']}/rotate", json=body)
        assert got.status_code in {400, 422}
    assert admin.post(f"/factory/v1/keys/{made['id']}/revoke").json()["revoked"] is True


def test_a_suspended_tenants_admin_changes_nothing_and_keeps_its_evidence(factory):
    factory.plant.tenants.suspend("op", "acme")
    admin = factory.as_("acme-admin")
    assert admin.post("/factory/v1/keys", json={}).status_code == 403
    own = factory.key_ids["acme-admin"]
    assert admin.post(f"/factory/v1/keys/{own}/rotate", json={}).status_code == 403
    assert admin.get("/factory/v1/usage").status_code == 200
