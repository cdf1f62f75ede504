"""What the control side answers: whole or not at all, and never a secret."""

import asyncio
import logging

import pytest

from inland.adapters.files.disk import Disk
from inland.api import waiting
from inland.decide.policy_set import default_files
from inland.domain.assets import AssetKind
from inland.domain.limits import Limits
from inland.domain.plant import Role
from inland.ledger.commitments import record_key
from inland.plant.books.tile_files import TileFiles
from inland.plant.uploads import NewAsset
from inland.ports.runner import ProcessState
from tests.unit.api.conftest import RECORD

REF = RECORD["id"]


def test_a_tenant_is_added_listed_suspended_and_resumed(factory):
    operator = factory.as_("operator")
    made = operator.post("/factory/v1/tenants", json={"name": "new", "jurisdictions": ["US"]})
    assert made.status_code == 201
    assert made.json()["label"]["jurisdictions"] == ["US"]
    apart = {"name": "apart", "jurisdictions": ["EU"], "storage": ["DE"]}
    label = operator.post("/factory/v1/tenants", json=apart).json()["label"]
    assert (label["jurisdictions"], label["storage"]) == (["EU"], ["DE"])
    here = {"name": "here", "classification": "public", "purposes": ["serve", "train"]}
    label = operator.post("/factory/v1/tenants", json=here).json()["label"]
    assert (label["classification"], label["purposes"]) == ("public", ["serve", "train"])
    assert operator.post("/factory/v1/tenants", json={"name": "new"}).status_code == 409
    body = {"purposes": ["serve", "train"]}
    told = operator.post("/factory/v1/tenants/new/label", json=body).json()["label"]
    assert (told["purposes"], told["jurisdictions"]) == (["serve", "train"], ["US"])
    admin = factory.as_("acme-admin")
    assert admin.post("/factory/v1/tenants/acme/label", json=body).status_code == 403
    assert operator.post("/factory/v1/tenants/new/suspend").json()["suspended"] is True
    assert operator.post("/factory/v1/tenants/new/resume").json()["suspended"] is False
    assert operator.post("/factory/v1/tenants/nope/suspend").status_code == 404
    names = [one["id"] for one in operator.get("/factory/v1/tenants").json()]
    assert names == ["acme", "apart", "demo", "here", "new"]
    assert [t["id"] for t in factory.as_("acme-admin").get("/factory/v1/tenants").json()] == [
        "acme"
    ]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "a", "nonsense": 1},
        {"name": "A B"},
        {"name": "operator"},
        {"name": "a", "jurisdictions": []},
        {"name": "a", "jurisdictions": ["Atlantis"]},
        {"name": "a", "storage": ["Atlantis"]},
        {"name": "a", "purposes": ["spy"]},
    ],
)
def test_bad_input_is_refused_whole_and_names_what_is_wrong(factory, body):
    before = factory.plant.snapshot
    got = factory.as_("operator").post("/factory/v1/tenants", json=body)
    assert got.status_code in {400, 422}
    assert got.headers["content-type"] == "application/problem+json"
    assert got.json()["detail"]
    assert factory.plant.snapshot is before


def test_a_deployment_is_added_and_removed_and_its_token_is_never_shown(factory):
    operator = factory.as_("operator")
    body = {
        "name": "far",
        "engine": "openai",
        "url": "http://127.0.0.1:9/v1",
        "upstream_model": "m",
        "jurisdiction": "US",
        "token": "very-secret",
    }
    refused = operator.post("/factory/v1/deployments", json=body)
    assert refused.status_code == 403
    assert "--permit-endpoint" in refused.json()["remedy"]
    made = operator.post("/factory/v1/deployments", json=body | {"permit_endpoint": True})
    assert made.status_code == 201, made.text
    assert made.json()["place"]["stands"] == "US"
    bad = operator.post("/factory/v1/deployments", json=body | {"slots": "very-secret"})
    for got in (refused, made, bad, operator.get("/factory/v1/deployments")):
        assert "very-secret" not in got.text
    assert operator.delete("/factory/v1/deployments/far").status_code == 200
    assert operator.delete("/factory/v1/deployments/far").status_code == 404
    assert operator.delete("/factory/v1/deployments/smollm2").status_code == 409


def test_policies_are_applied_whole_and_explained(factory, monkeypatch):
    monkeypatch.setattr(waiting, "WAIT_S", 0.0)
    operator = factory.as_("operator")
    files = {**default_files(), "x.cedar": '@id("never") forbid (principal, action, resource);'}
    bad = operator.post("/factory/v1/policies", json={"files": {"x.cedar": "permit ("}})
    assert bad.status_code == 400
    assert operator.post("/factory/v1/policies", json={"files": files}).status_code == 200
    told = operator.get("/factory/v1/policies").json()
    assert (told["files"].keys(), told["differs"]) == (files.keys(), [])
    asked = {"tenant": "acme", "action": "serve", "deployment": "smollm2"}
    now = operator.post("/factory/v1/policies/explain", json=asked).json()
    assert (now["decision"], now["decided_by"]) == ("deny", ["never"])
    assert operator.post("/factory/v1/policies/explain", json={"ref": "x"}).status_code == 404
    assert operator.post("/factory/v1/policies/explain", json={}).status_code == 400


def test_a_decision_about_an_asset_is_explained_to_staff(factory):
    admin = next(one for one in factory.plant.keys.all() if one.role is Role.TENANT_ADMIN)
    wanted = NewAsset(tenant=str(admin.tenant), kind=AssetKind.DATASET, name="n", bytes=0)
    asset = factory.plant.uploads.begin(admin, wanted).id
    factory.plant.uploads.finish(admin, asset)
    asked = {"who": admin.id, "action": "export", "asset": asset, "destination": "US"}
    operator, path = factory.as_("operator"), "/factory/v1/policies/explain"
    told = operator.post(path, json=asked).json()
    assert (told["decision"], told["asset"], told["model"]) == ("deny", asset, None)
    assert told["decided_by"] == ["asset.destination", "asset.destination.use"]
    assert (told["destination"]["stands"], told["place"]["stands"]) == ("US", "DE")
    assert operator.post(path, json={**asked, "asset": "no"}).status_code == 404
    assert factory.as_("acme-admin").post(path, json=asked).status_code == 403


def test_readiness_says_what_it_waits_for(factory):
    client = factory.as_(None)
    assert client.get("/healthz").status_code == 200
    waiting = client.get("/readyz")
    assert waiting.status_code == 503
    assert waiting.json()["awaited"] == ["a token from deployment smollm2"]
    factory.replicas.step()
    factory.replicas.step()
    assert client.get("/readyz").json() == {"ready": True, "awaited": []}
    factory.feed.alive = False
    assert client.get("/healthz").status_code == 503


def test_status_lists_every_process(factory):
    factory.replicas.step()
    told = factory.as_("operator").get("/factory/v1/status").json()
    assert {"name", "role", "state", "pid"} <= told["processes"][0].keys()
    assert told["deployments"][0]["replicas"][0]["id"] == "smollm2-0"
    factory.runner.put("smollm2-0", pid=None, state=ProcessState.FAILED, why="no such file")
    told = factory.as_("operator").get("/factory/v1/status").json()
    assert told["deployments"][0]["replicas"][0]["why"] == "no such file"
    revived = factory.as_("operator").post("/factory/v1/processes/engine-smollm2-0/revive")
    assert revived.status_code == 200


def test_a_receipt_is_for_its_tenant_the_operator_and_auditors(factory):
    factory.books.records[REF] = RECORD
    for name in ("acme-member", "acme-admin", "operator", "auditor"):
        assert factory.as_(name).get(f"/factory/v1/receipts/{REF}").status_code == 200


def test_unknown_and_foreign_references_answer_alike_after_the_same_wait(factory, monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        factory.plant.clock.sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    factory.books.records[REF] = RECORD
    demo = factory.as_("demo-member")
    answers = []
    for ref in (REF, "0197aaaa-bbbb-7ccc-8ddd-eeeeffff0001", "nope"):
        for path in (f"/factory/v1/receipts/{ref}", f"/factory/v1/receipts/{ref}/key"):
            slept.clear()
            got = demo.get(path)
            answers.append((got.status_code, got.content, round(sum(slept), 6)))
    assert set(answers) == {(404, answers[0][1], waiting.WAIT_S)}


def test_a_receipt_is_waited_for(factory, monkeypatch):
    async def sleep(seconds):
        factory.books.records[REF] = RECORD
        factory.plant.clock.sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert factory.as_("acme-member").get(f"/factory/v1/receipts/{REF}").status_code == 200


def test_a_record_is_waited_for_before_it_is_explained(factory, monkeypatch):
    async def sleep(seconds):
        policy = factory.plant.snapshot.policy_digest
        factory.books.records[REF] = RECORD | {"time": 1, "policy": policy, "decided_by": ["use"]}
        factory.plant.clock.sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    got = factory.as_("operator").post("/factory/v1/policies/explain", json={"ref": REF})
    assert "containsAny" in got.json()["rules"]["use"]


def test_too_many_waiting_callers_are_told_to_come_back(factory):
    factory.app.state.waiting = waiting.MAX_WAITING
    got = factory.as_("acme-member").get(f"/factory/v1/receipts/{REF}")
    assert (got.status_code, "retry-after" in got.headers) == (503, True)


def test_a_records_key_is_for_its_tenant_and_not_for_the_operator(factory, monkeypatch):
    monkeypatch.setattr(waiting, "WAIT_S", 0.0)
    factory.books.records[REF] = RECORD
    kept = factory.plant.secrets.secrets().record_keys["acme"]
    told = factory.as_("acme-admin").get(f"/factory/v1/receipts/{REF}/key").json()
    assert told["key"] == record_key(kept, REF).hex()
    assert factory.as_("operator").get(f"/factory/v1/receipts/{REF}/key").status_code == 403
    path = f"/factory/v1/receipts/{REF}/key"
    assert factory.as_("acme-member").get(path).status_code == 404, "another member's request"
    mine = {**RECORD, "key": factory.key_ids["acme-member"]}
    factory.books.records[REF] = mine
    assert factory.as_("acme-member").get(path).status_code == 200


def test_usage_and_records_are_a_tenants_own(factory):
    factory.books.records[REF] = RECORD
    admin = factory.as_("acme-admin")
    assert admin.get("/factory/v1/usage", params={"since": "2026-01-01"}).json()[0]["requests"] == 1
    assert factory.books.asked == [("acme", 1_767_225_600_000_000)]
    assert admin.get("/factory/v1/usage", params={"since": "yesterday"}).status_code == 400
    assert admin.get("/factory/v1/records").text == f"{REF}\n"
    assert factory.as_("auditor").get("/factory/v1/records").status_code == 400
    assert factory.as_("acme-member").get("/factory/v1/records").status_code == 403


def test_the_ledger_is_public_and_nothing_beside_it_is(factory):
    client = factory.as_(None)
    folder = factory.plant.home / "ledger"
    (folder / "checkpoint").write_text("test/log/0123abcd\n")
    (folder / "tile" / "0" / "000").write_bytes(b"\x01" * 32)
    (folder / "secret").write_text("no")
    assert client.get("/ledger/checkpoint").headers["content-type"].startswith("text/plain")
    tile = client.get("/ledger/tile/0/000")
    assert (tile.content, tile.headers["content-type"]) == (
        b"\x01" * 32,
        "application/octet-stream",
    )
    for path in ("secret", "tile/../secret", "tile/0/%2e%2e/%2e%2e/secret", "tile/0/001", "tile/"):
        for below in ("", "0123abcd/"):
            assert client.get(f"/ledger/{below}{path}").status_code == 404


def test_a_log_keeps_its_address_when_it_ends_and_only_there_a_tile_may_be_kept(factory):
    client, folder = factory.as_(None), factory.plant.home / "ledger"
    (folder / "checkpoint").write_text("test/log/0123abcd\n")
    (folder / "tile" / "0" / "000").write_bytes(b"\x01" * 32)

    def got(log):
        asked = [f"/ledger/{log}/checkpoint", f"/ledger/{log}/tile/0/000"]
        return [client.get(path).content for path in asked]

    before = got("0123abcd")
    assert before == [b"test/log/0123abcd\n", b"\x01" * 32]
    assert client.get("/ledger/tile/0/000").headers["cache-control"] == "no-cache"
    kept = client.get("/ledger/0123abcd/tile/0/000").headers["cache-control"]
    assert "immutable" in kept
    files = TileFiles(Disk(factory.plant.home), "0123abcd")
    files.end("test/log/0123abcd\n")
    assert client.get("/ledger/tile/0/000").content == b"\x01" * 32, "until the next is published"
    (folder / "tile" / "0").mkdir(parents=True)
    (folder / "tile" / "0" / "000").write_bytes(b"\x02" * 32)
    (folder / "checkpoint").write_text("test/log/89abcdef\n")
    assert got("0123abcd") == before
    assert got("89abcdef") == [b"test/log/89abcdef\n", b"\x02" * 32]
    assert client.get("/ledger/tile/0/000").content == b"\x02" * 32
    assert client.get("/ledger/ffffffff/tile/0/000").status_code == 404
    assert client.get("/ledger/ffffffff/checkpoint").status_code == 404
    assert client.get("/ledger/../checkpoint").status_code == 404
    assert client.get("/ledger/0123abcd/successor").headers["content-type"] == "application/json"
    assert client.get("/ledger/89abcdef/successor").status_code == 404


def test_only_the_operator_rotates_the_logs_key(factory):
    told = factory.as_("operator").post("/factory/v1/log/rotate-key", json={})
    assert told.json()["before"] == factory.books.vkey
    assert factory.books.asked == [(factory.key_ids["operator"], "scheduled")]
    bad = factory.as_("operator").post("/factory/v1/log/rotate-key", json={"why": "bored"})
    assert bad.status_code in {400, 422}
    for other in ("auditor", "acme-admin", "acme-member"):
        assert factory.as_(other).post("/factory/v1/log/rotate-key", json={}).status_code == 403


def test_a_body_beyond_the_limit_is_refused(factory):
    got = factory.as_("operator").post(
        "/factory/v1/tenants", content=b"x" * (Limits().control_body_bytes + 1)
    )
    assert got.status_code == 413


def test_a_fault_of_ours_tells_the_caller_nothing(factory, monkeypatch):
    monkeypatch.setattr(factory.plant.tenants, "all", lambda: 1 / 0)
    got = factory.as_("operator").get("/factory/v1/tenants")
    assert got.status_code == 500
    assert "ZeroDivision" not in got.text


def test_log_lines_hold_no_key_and_no_text(factory, caplog, monkeypatch):
    monkeypatch.setattr(waiting, "WAIT_S", 0.0)
    with caplog.at_level(logging.DEBUG, logger="inland"):
        made = factory.as_("operator").post("/factory/v1/keys", json={"tenant": "acme"}).json()
        factory.as_("acme-admin").get("/factory/v1/receipts/some-words-of-mine")
    lines = [str(vars(record)) for record in caplog.records if record.message == "call"]
    assert len(lines) == 2
    for secret in (made["key"], factory.keys["operator"], "some-words-of-mine"):
        assert not any(secret in line for line in lines)
    assert any("/factory/v1/receipts/{ref}" in line for line in lines)


def test_the_vkey_is_for_whoever_holds_a_key(factory):
    assert factory.as_("acme-member").get("/factory/v1/vkey").text == "test+00000000+key\n"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/factory/v1/tenants", rb'{"\ud800": 1}'),
        ("/factory/v1/tenants", rb'{"name": "\ud800"}'),
        ("/factory/v1/policies", rb'{"files": {"a.cedar": "\ud800"}}'),
        ("/factory/v1/policies", rb'{"files": {"\ud800": ""}}'),
        ("/factory/v1/policies/explain", rb'{"who": "\ud800", "deployment": "smollm2"}'),
        ("/factory/v1/deployments", rb'{"name": "a", "model": "\ud800"}'),
        ("/factory/v1/tenants", b"[" * 100_000),
    ],
)
def test_odd_input_is_the_callers_fault(factory, path, body):
    got = factory.as_("operator").post(path, content=body)
    assert 400 <= got.status_code < 500, got.text
    assert got.headers["content-type"] == "application/problem+json"


def test_an_answer_to_no_key_says_what_would_do(factory):
    got = factory.as_(None).get("/factory/v1/tenants")
    assert (got.status_code, got.headers["www-authenticate"]) == (401, "Bearer")


def test_a_405_names_every_method_that_would_do(factory):
    got = factory.as_("operator").put("/factory/v1/tenants")
    assert (got.status_code, got.headers["allow"]) == (405, "GET, POST")
    assert got.headers["content-type"] == "application/problem+json"


def test_a_405_names_no_method_of_a_path_that_has_a_name_in_its_place(factory):
    got = factory.as_("operator").put("/factory/v1/contracts/report")
    assert (got.status_code, got.headers["allow"]) == (405, "GET")
    got = factory.as_("operator").put("/factory/v1/contracts/aaaaaaaaaaaaaaaa")
    assert (got.status_code, got.headers["allow"]) == (405, "DELETE")


@pytest.mark.parametrize(
    ("path", "field", "wrong"),
    [
        ("/factory/v1/vault/check", "repair", 0),
        ("/factory/v1/vault/check", "repair", "yes"),
        ("/factory/v1/keys/aaaaaaaaaaaaaaaa/rotate", "overlap_s", False),
        ("/factory/v1/keys/aaaaaaaaaaaaaaaa/rotate", "overlap_s", "60"),
        ("/factory/v1/contracts", "weight", True),
    ],
)
def test_one_kind_of_value_is_never_taken_for_another(factory, path, field, wrong):
    got = factory.as_("operator").post(path, json={field: wrong})
    assert got.status_code == 422
    assert f"{field}: Input should be a valid" in got.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"twice","name":"other","jurisdictions":["DE"]}',
        b'{"name":"deep","jurisdictions":' + b"[" * 100_000,
        b'{"name":"wide","jurisdictions":["DE"],"x":[' + b"1," * 100_000 + b"1]}",
        '{"name":"utf-16","jurisdictions":["DE"]}'.encode("utf-16"),
        b'\xef\xbb\xbf{"name":"bom","jurisdictions":["DE"]}',
        b'{"name":"nan","jurisdictions":["DE"],"x":NaN}',
    ],
    ids=["twice", "deep", "wide", "utf-16", "bom", "nan"],
)
def test_a_body_that_reads_two_ways_or_not_at_all_changes_nothing(factory, body):
    operator = factory.as_("operator")
    before = operator.get("/factory/v1/tenants").json()
    headers = {"content-type": "application/json"}
    refused = operator.post("/factory/v1/tenants", content=body, headers=headers)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    assert len(refused.content) < 1000
    assert operator.get("/factory/v1/tenants").json() == before


@pytest.mark.parametrize("first", ["application/json", "application/octet-stream"])
def test_a_body_that_says_twice_what_it_is_is_refused(factory, first):
    operator = factory.as_("operator")
    before = operator.get("/factory/v1/tenants").json()
    headers = [("content-type", first), ("content-type", "application/octet-stream")]
    body = b'{"name":"twice","name":"other","jurisdictions":["DE"]}'
    refused = operator.post("/factory/v1/tenants", content=body, headers=headers)
    assert (refused.status_code, refused.json()["detail"]) == (
        400,
        "a body has one content-type",
    )
    assert operator.get("/factory/v1/tenants").json() == before
