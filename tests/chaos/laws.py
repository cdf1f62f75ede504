"""What must hold of the books whatever was killed or failed: every law, and what broke it."""

import hashlib
import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.load import TENANTS, Received
from tests.factory.running import Running, verify_all_outside
from tests.patience import until

#: Receipts that are fetched and verified outside; every other answer is held to its record's hash.
RECEIPTS = 150


@dataclass
class Laws:
    """Laws by name, and what broke each: empty lists mean that all hold."""

    broken: dict[str, list[str]] = field(default_factory=dict)

    def hold(self, law: str, *breaches: str) -> None:
        """`law` was looked at; `breaches` are what speaks against it."""
        self.broken.setdefault(law, []).extend(breaches)

    @property
    def hold_all(self) -> bool:
        return not any(self.broken.values())

    def verdicts(self) -> dict[str, object]:
        """Per law `holds`, or the first of what broke it."""
        return {law: found[:5] or "holds" for law, found in self.broken.items()}


def ready(factory: Running) -> None:
    """Wait until it serves again."""
    said = ""

    def serves() -> bool:
        nonlocal said
        try:
            with factory.http(trust_env=False) as http:
                answer = http.get("/readyz")
            said = answer.text
        except httpx.TransportError as error:
            said = repr(error)
            return False
        return answer.status_code == httpx.codes.OK

    try:
        until(serves)
    except AssertionError as error:
        status = factory.run("status", check=False)
        error.add_note(f"not ready: {said}\n{status.stdout}{status.stderr}")
        raise


def settle(factory: Running, gateways: int, laws: Laws) -> None:
    """Wait until every dead writer's journal is sealed, booked and gone."""
    ready(factory)
    until(lambda: len(_writers(factory)) <= gateways, "journals of the dead are not sealed")
    time.sleep(3)  # what was hung up on is ended, and on its journal
    until(lambda: _unbooked(factory) == 0, "what journals hold is not booked")
    laws.hold("journals of the dead are sealed and gone")


def _unbooked(factory: Running) -> int:
    """Records on journals that the ledger does not have yet."""
    told = json.loads(factory.run("ledger", "check", "--json", check=False).stdout or "{}")
    return int(told.get("unbooked", 1))


def _writers(factory: Running) -> list[str]:
    return [p.name for p in (factory.home / "journal").iterdir() if p.name[:4] != "new-"]


def hold_books(
    factory: Running, received: list[Received], folder: Path, laws: Laws
) -> dict[str, int]:
    """Every answer is on the books once, as it was given, and billed as the books say."""
    lines, used = _booked(factory, folder)
    every = [(json.loads(line), hashlib.sha256(line).hexdigest()) for line in lines]
    found = [(record, entry) for record, entry in every if record["kind"] == "request"]
    records = {record["id"]: (record, entry) for record, entry in found}
    seen = {r.ref: r for r in received if r.ref}
    counts = Counter(record["id"] for record, _ in every if "id" in record)
    whole = [r for r in received if r.whole and r.ref]
    cut = sum(r.sent and not r.whole and not r.refused for r in received)
    beyond = [ref for ref in records if ref not in seen]
    laws.hold("an answer has a record", *(ref for ref in seen if ref not in records))
    laws.hold("no record is there twice", *(ref for ref, many in counts.items() if many > 1))
    laws.hold(
        "a record nobody saw is of a request that was cut",
        *([f"{len(beyond)} records, {cut} cut"] if len(beyond) > cut else []),
    )
    laws.hold(
        "a whole answer is complete and its record what the caller was told", *_told(whole, records)
    )
    laws.hold("only what was answered is billed", *_billed(found))
    laws.hold("usage is the sum of the records", *_usage(used, found))
    dice = random.Random(len(received))
    some = dice.sample(whole, min(RECEIPTS, len(whole)))
    laws.hold("receipts verify outside", *_unverified(factory, some, folder))
    checked = factory.run("ledger", "check", check=False)
    laws.hold(
        "the ledger agrees with itself",
        *([checked.stdout + checked.stderr] if checked.returncode else []),
    )
    return {
        "requests": len(received),
        "whole": len(whole),
        "partial": sum(1 for r in received if r.ref and not r.whole),
        "cut": cut,
        "refused": sum(r.refused for r in received),
        "records": len(records),
        "receipts_verified": len(some),
    }


def _booked(factory: Running, folder: Path) -> tuple[list[bytes], dict[str, int]]:
    """The tenants' records and their completion tokens by `inland usage`, of one moment: what was
    hung up on may have been booked only now."""
    while True:
        before = [line for tenant in TENANTS for line in _export(factory, tenant, folder)]
        used = {
            tenant: sum(
                row["completion_tokens"] for row in factory.json("usage", "--tenant", tenant)
            )
            for tenant in TENANTS
        }
        if before == [line for tenant in TENANTS for line in _export(factory, tenant, folder)]:
            return before, used


def _export(factory: Running, tenant: str, folder: Path) -> list[bytes]:
    path = folder / f"{tenant}.jsonl"
    path.unlink(missing_ok=True)
    factory.run("record", "export", "--tenant", tenant, "-o", str(path))
    return path.read_bytes().splitlines()


Records = dict[str, tuple[dict[str, Any], str]]


def _told(whole: list[Received], records: Records) -> list[str]:
    wrong = []
    for got in whole:
        record, entry = records.get(got.ref or "", ({}, ""))
        if record and (record["outcome"] != "complete" or got.entry != entry):
            wrong.append(f"{got.ref}: {record['outcome']}, told {got.entry}, is {entry}")
        if record and record["tenant"] != got.tenant:
            wrong.append(f"{got.ref}: of {record['tenant']}, asked by {got.tenant}")
    return wrong


def _billed(found: list[tuple[dict[str, Any], str]]) -> list[str]:
    return [
        f"{record['id']}: {record['outcome']}, billed {record['billed']}"
        for record, _ in found
        if record["billed"] is not (record["outcome"] in {"complete", "hung-up"})
    ]


def _usage(used: dict[str, int], found: list[tuple[dict[str, Any], str]]) -> list[str]:
    """The sums of `inland usage`, which were kept as batches were booked, against the records."""
    billed: Counter[str] = Counter()
    for record, _ in found:
        if record["billed"]:
            billed[record["tenant"]] += record["completion_tokens"]
    return [
        f"{tenant}: {told} told, {billed[tenant]} in the records"
        for tenant, told in used.items()
        if told != billed[tenant]
    ]


def _unverified(factory: Running, some: list[Received], folder: Path) -> list[str]:
    vkey = factory.vkey(folder)
    asked = []
    for got in some:
        path = folder / f"receipt-{got.ref}.json"
        with factory.http(got.tenant, trust_env=False) as http:
            path.write_bytes(http.get(f"/factory/v1/receipts/{got.ref}").content)
        asked.append([str(path), "--vkey", str(vkey), "--entry", got.entry or "none"])
    told = zip(some, verify_all_outside(asked), strict=True)
    return [f"{got.ref}: {said}" for got, (code, said) in told if code != 0]
