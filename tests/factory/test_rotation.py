"""Keys rotated in a real factory under load: nobody is refused, and everything stays provable."""

import json
from itertools import pairwise
from pathlib import Path

import httpx

from inland.ledger import receipts
from tests.chaos.load import Callers
from tests.factory.running import Running, running, verify_outside
from tests.patience import PATIENCE_S, until


def more_answers(callers: Callers, count: int) -> None:
    """Wait until that many more requests have ended."""
    wanted = len(callers.received) + count
    until(lambda: len(callers.received) >= wanted)


def test_the_logs_key_is_rotated_under_load(tmp_path: Path, model_file: Path) -> None:
    assert model_file.exists()
    with running(tmp_path / "home") as factory:
        with Callers(factory, seed=11, threads=3, max_tokens=6) as callers:
            more_answers(callers, 4)
            booked(factory, callers)  # the first log has some of them
            first = factory.vkey(tmp_path).read_text()
            end = tmp_path / "end.json"
            kept = tmp_path / "kept"
            with factory.http() as http:
                kept.write_bytes(http.get("/ledger/checkpoint").raise_for_status().content)
            told = factory.json("ledger", "rotate-key", "-o", str(end))
            more_answers(callers, 4)
            demand_refused_since(factory, kept, callers.received[-1].ref)
            again = factory.json("ledger", "rotate-key", "--why", "compromised")
            more_answers(callers, 4)
        booked(factory, callers)
        assert not callers.wrong, callers.wrong
        assert not [got for got in callers.received if got.refused or not got.whole]
        assert (told["before"] + "\n", again["before"]) == (first, told["vkey"])

        logs = factory.json("ledger", "vkey", "--all")
        assert [log["vkey"] for log in logs] == [told["before"], told["vkey"], again["vkey"]]
        assert [log["ended"] for log in logs] == ["scheduled", "compromised", None]
        demand_proved(factory, tmp_path, callers, {log["log"]: log["vkey"] for log in logs})
        follow_the_chain(factory, tmp_path, end, first, logs)
        told = factory.json("ledger", "check")
        assert told["ok"], told["problems"]
        factory.down()
        assert factory.json("ledger", "check")["ok"]
        factory.up()
        assert factory.json("ledger", "vkey")["vkey"] == again["vkey"]


def booked(factory: Running, callers: Callers) -> None:
    """Wait until what was received so far is on the books."""
    for got in list(callers.received):
        if got.whole:
            with factory.http(got.tenant) as http:
                until(lambda: http.get(f"/factory/v1/receipts/{got.ref}").is_success)  # noqa: B023


def demand_refused_since(factory: Running, kept: Path, ref: str) -> None:
    """A record of the next log is not proved against a checkpoint of the one before: said so."""
    out = kept.with_name("since.json")
    words = ("receipt", "get", ref, "-o", str(out), "--since", str(kept))

    def refused() -> bool:
        """As soon as it is booked."""
        done = factory.run(*words, check=False)
        return "is of the log" in done.stderr and "/ledger/LOG/successor" in done.stderr

    until(refused)
    assert not out.exists()


def demand_proved(factory: Running, folder: Path, callers: Callers, vkeys: dict[str, str]) -> None:
    """Each answer is proved by the key of the log it went into; one of each by the outsider too."""
    seen: set[str] = set()
    for got in callers.received:
        with factory.http(got.tenant) as http:
            data = http.get(f"/factory/v1/receipts/{got.ref}").raise_for_status().content
        origin = json.loads(data)["checkpoint"].split("\n")[0]
        receipts.verify(data, vkeys[origin], receipts.Kept(entry=got.entry))
        if origin not in seen:
            seen.add(origin)
            (folder / "receipt.json").write_bytes(data)
            (folder / "its.vkey").write_text(vkeys[origin])
            done = verify_outside(folder / "receipt.json", folder / "its.vkey")
            assert done.returncode == 0, done.stdout
    assert seen == vkeys.keys(), "each log holds some of the answers"


def follow_the_chain(
    factory: Running, folder: Path, end: Path, first: str, logs: list[dict[str, str]]
) -> None:
    """Whoever trusts the first key alone comes to the newest, with files that anyone may fetch."""
    (folder / "vkey").write_text(first)
    with httpx.Client(base_url=factory.url, timeout=PATIENCE_S) as http:
        for log, following in pairwise(logs):
            address = f"/ledger/{log['log'].rpartition('/')[2]}"
            fetched = folder / "successor.json"
            fetched.write_bytes(http.get(f"{address}/successor").raise_for_status().content)
            if log is logs[0]:
                assert fetched.read_bytes() == end.read_bytes()
            done = verify_outside(fetched, folder / "vkey", "--json")
            assert json.loads(done.stdout)["successor"]["vkey"] == following["vkey"]
            last = http.get(f"{address}/checkpoint").raise_for_status().text
            assert last.split("\n")[:2] == [log["log"], str(log["entries"])]
            assert http.get(f"{address}/tile/entries/000.p/{log['entries']}").is_success
            (folder / "vkey").write_text(following["vkey"])
        newest = http.get("/ledger/checkpoint").raise_for_status().text
    assert newest.split("\n")[0] == logs[-1]["log"]


def test_api_keys_are_rotated_under_load(tmp_path: Path, model_file: Path) -> None:
    assert model_file.exists()
    with running(tmp_path / "home") as factory:
        old = dict(factory.keys)
        with Callers(factory, seed=12, threads=3, max_tokens=6) as callers:
            more_answers(callers, 3)
            for tenant, text in old.items():
                told = factory.json("key", "rotate", text.split("_")[1], "--overlap", "1h")
                more_answers(callers, 2)  # by the old key still
                factory.keys[tenant] = told["key"]
            more_answers(callers, 6)
        assert not callers.wrong, callers.wrong
        assert not [got for got in callers.received if got.refused or not got.whole]

        assert models(factory, old["demo"]) == 200, "its overlap is not over"
        factory.run("key", "revoke", old["demo"].split("_")[1])
        assert models(factory, old["demo"]) == 401
        told = factory.json("key", "rotate", factory.keys["demo"].split("_")[1], "--overlap", "0")
        assert models(factory, factory.keys["demo"]) == 401, "out when the command returns"
        assert models(factory, told["key"]) == 200

        before = factory.operator_key
        told = factory.json("key", "rotate", before.split("_")[1], "--overlap", "0")
        assert factory.operator_key == told["key"] != before
        assert factory.run("tenant", "list").returncode == 0
        factory.down()
        kept = factory.home / "keys" / "operator"  # as a kill between change and switch leaves it
        kept.rename(kept.with_name("operator.next"))
        kept.write_text(f"{before}\n")
        factory.up()
        assert factory.operator_key == told["key"]
        ended = {one["id"] for one in factory.json("key", "list") if one["revoked"]}
        assert before.split("_")[1] in ended
        assert factory.json("ledger", "check")["ok"]


def models(factory: Running, key: str) -> int:
    """How a call by that key is answered."""
    with factory.http() as http:
        got = http.get("/v1/models", headers={"authorization": f"Bearer {key}"})
    return got.status_code
