"""A factory that serves is backed up, restored elsewhere, started: all it acknowledged is there."""

import json
from collections import Counter

from inland.client import FactoryClient
from tests.chaos.load import Callers
from tests.factory.running import Running, running, verify_outside


def request_ids(factory, tenant, folder):
    records = factory.records(tenant, folder)
    return [record["id"] for record in records if record["kind"] == "request"]


def test_what_was_acknowledged_before_a_backup_under_load_is_in_the_restored_factory(tmp_path):
    with running(tmp_path / "home") as factory:
        with Callers(factory, seed=5, threads=4) as callers:
            while sum(got.whole for got in callers.received) < 12:
                callers.streaming.acquire(timeout=30)
            before = list(callers.received)
            made = factory.json("backup", str(tmp_path / "b"))
            during = len(callers.received)
            while len(callers.received) < during + 4:
                callers.streaming.acquire(timeout=30)
        assert not callers.wrong, "a backup turned somebody away"
        old = factory.vkey(tmp_path)
        refs = {got.ref: got for got in before if got.whole}
        assert len(refs) >= 12
        old.rename(tmp_path / "old-vkey")
        again = Running(tmp_path / "again", keys=factory.keys)
        told = again.json("restore", str(tmp_path / "b"))
        assert (told["sha256"], told["taken_unix_us"]) == (made["sha256"], made["taken_unix_us"])
        assert told["vkey"] == (tmp_path / "old-vkey").read_text().strip()
        assert again.json("ledger", "check")["ok"]
        again.up()
        try:
            demand_kept(again, refs, tmp_path)
        finally:
            again.down()
        assert again.json("ledger", "check")["ok"]
        assert factory.json("ledger", "check")["ok"], "beside it the original goes on"


def demand_kept(again, refs, folder):
    """Each answer is there once, with a receipt; and the restored factory serves."""
    with again.http("demo") as http:
        body = {"model": "smollm2", "max_tokens": 2, "messages": [{"role": "user", "content": "a"}]}
        assert http.post("/v1/chat/completions", json=body).status_code == 200
    wait_until_booked(again)
    found = Counter(
        record for tenant in ("demo", "acme") for record in request_ids(again, tenant, folder)
    )
    vkey = again.vkey(folder)
    assert set(refs) <= found.keys()
    assert set(found.values()) == {1}
    vkeys = {path.read_text().partition("+")[0]: path for path in (folder / "old-vkey", vkey)}
    receipt = folder / "receipt.json"
    with FactoryClient(again.home / "run" / "control.sock", again.operator_key) as client:
        for ref, got in refs.items():
            receipt.write_bytes(client.receipt(ref))
            origin = json.loads(receipt.read_bytes())["checkpoint"].partition("\n")[0]
            done = verify_outside(receipt, vkeys[origin], "--entry", got.entry or "")
            assert done.returncode == 0, done.stdout
    rows = again.json("usage")
    counted = sum(row["requests"] + row["unbilled"] for row in rows)
    assert counted == sum(found.values())


def wait_until_booked(factory):
    """Until nothing waits in a journal any more: two looks agree that all is booked."""
    for _ in range(60):
        if factory.json("ledger", "check")["unbooked"] == 0:
            return
    raise AssertionError("booking does not come to an end")
