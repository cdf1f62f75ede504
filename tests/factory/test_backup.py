"""A factory that serves is backed up, restored elsewhere, started: all it acknowledged is there."""

import json
from collections import Counter

from inland.client import FactoryClient
from inland.refusals import Refused
from tests.chaos.load import Callers
from tests.factory.running import MODEL, Running, running, verify_outside
from tests.patience import until


def test_what_was_acknowledged_before_a_backup_under_load_is_in_the_restored_factory(tmp_path):
    with running(tmp_path / "home") as factory:
        with Callers(factory, seed=5, threads=3, max_tokens=8) as callers:
            before = wait_for_answers(callers, 8)
            made = factory.json("backup", str(tmp_path / "b"))
            wait_for_answers(callers, len(callers.received) + 3)
        assert not callers.wrong, "a backup turned somebody away"
        again = Running(tmp_path / "again", keys=factory.keys)
        told = again.json("restore", str(tmp_path / "b"))
        assert (told["sha256"], told["taken_unix_us"]) == (made["sha256"], made["taken_unix_us"])
        again.up()
        try:
            demand_kept(again, {got.ref: got for got in before}, told["vkey"], tmp_path)
        finally:
            again.down()
        assert again.json("ledger", "check")["ok"]
        assert factory.json("ledger", "check")["ok"], "beside it the original goes on"


def wait_for_answers(callers, count):
    """At least so many whole answers: those so far."""
    while sum(got.whole for got in callers.received) < count:
        callers.streaming.acquire(timeout=1)
    return [got for got in callers.received if got.whole]


def demand_kept(again, refs, old_vkey, folder):
    """Each answer is there once, billed once, with a receipt; and the restored factory serves."""
    body = {"model": MODEL, "max_tokens": 2, "messages": [{"role": "user", "content": "a"}]}
    with again.http("demo") as http:
        answer = http.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200
    with FactoryClient(again.home / "run" / "control.sock", again.operator_key) as client:
        receipts = {ref: wait_for_receipt(client, ref) for ref in refs}
        wait_for_receipt(client, answer.headers["inland-receipt"])
        until(lambda: counted(client) == len(booked(client)), "usage is not what is on the books")
        found = Counter(booked(client))
    assert set(refs) <= found.keys()
    assert set(found.values()) == {1}
    vkeys = {
        vkey.partition("+")[0]: vkey for vkey in (old_vkey, again.json("ledger", "vkey")["vkey"])
    }
    assert len(vkeys) == 2, "the restored factory signs a log of its own"
    for ref, receipt in receipts.items():
        (folder / "receipt").write_bytes(receipt)
        origin = json.loads(receipt)["checkpoint"].partition("\n")[0]
        (folder / "vkey").write_text(vkeys[origin])
        entry = refs[ref].entry
        done = verify_outside(folder / "receipt", folder / "vkey", "--entry", entry)
        assert done.returncode == 0, done.stdout


def wait_for_receipt(client, ref):
    """The receipt, once its record is booked under a checkpoint."""

    def booked():
        try:
            return client.receipt(ref)
        except Refused:
            return None

    until(booked, f"no receipt of {ref}")
    return booked()


def booked(client):
    """Every request, of both tenants, of a factory that may be booking still."""
    return [ref for tenant in ("demo", "acme") for ref in requests_of(client, tenant)]


def counted(client):
    return sum(row["requests"] + row["unbilled"] for row in client.usage(None))


def requests_of(client, tenant):
    with client.records(tenant) as pieces:
        records = map(json.loads, b"".join(pieces).splitlines())
        return [record["id"] for record in records if record["kind"] == "request"]
