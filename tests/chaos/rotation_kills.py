"""Rotations that are killed half way: of an API key, the operator's own, and the log's key."""

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

from inland.adapters.files.clock import SystemEntropy
from inland.adapters.files.disk import Disk
from inland.bootstrap.books import check_ledger
from inland.domain.plant import Key, Role
from inland.ledger import receipts
from inland.ledger.rotation import SCHEDULED
from inland.plant.keys import is_live
from tests.books_home import BooksHome
from tests.chaos.fuse import Act, Fuse
from tests.unit.plant.parts import Plant

_OVERLAP_S = 3600


def _plant(home: Path) -> Plant:
    plant = Plant(home)
    plant.entropy = plant.changes.entropy = SystemEntropy()
    return plant


def _found(plant: Plant, role: Role) -> Key:
    """The first key of that role that was made."""
    keys = [key for key in plant.keys.all() if key.role is role]
    return min(keys, key=lambda key: key.created_unix_s)


def keys_template(home: Path) -> None:
    """A home with a tenant's key and an operator's, which its commands use."""
    home.mkdir()
    plant = _plant(home)
    plant.begin()
    plant.tenants.add("op", "acme")
    plant.keys.add("op", "acme", Role.MEMBER)
    _, text = plant.keys.add("op", None, Role.OPERATOR)
    (home / "keys" / "operator").write_text(f"{text}\n")
    plant.clock.sleep(10)
    plant.store.close()


def rotate_key(role: Role, home: Path, fuse: Fuse) -> None:
    plant = _plant(home)
    plant.clock.sleep(100)
    old = _found(plant, role)
    fuse.lay()
    plant.keys.rotate("op", old.id, _OVERLAP_S)


def broken_keys(home: Path) -> list[str]:
    """A key has a successor and a record says so, or neither; the operator's file is in force."""
    plant = _plant(home)
    try:
        plant.begin()
        plant.keys.settle()
        told = []
        now_s = plant.clock.unix_us() // 1_000_000
        keys = {key.id: key for key in plant.keys.all()}
        said = {r["subject"]: r["details"] for r in plant.records() if r["what"] == "key.rotate"}
        for key in keys.values():
            named = said.get(key.id, {}).get("successor")
            if key.successor != named or (named is not None and named not in keys):
                told.append(f"the records say {named} follows, the state {key.successor}")
        for role in (Role.MEMBER, Role.OPERATOR):
            chain = [key for key in keys.values() if key.role is role and is_live(key, now_s)]
            if not chain:
                told.append(f"no {role} key works")
            whole = [key for key in chain if key.successor is None]
            if len(whole) != 1:
                told.append(f"{len(whole)} {role} keys have no end")
        kept = plant.secrets.operator_key()
        if kept is None or kept not in keys or not is_live(keys[kept], now_s):
            told.append("the operator is locked out")
        elif keys[kept].successor is not None:
            told.append("the operator's commands use a key that ends")
        if (home / "keys" / "operator.next").exists():
            told.append("a key waits for ever")
        return told
    finally:
        plant.store.close()


def log_template(home: Path) -> None:
    """A home with some records on the books."""
    books = BooksHome(home)
    books.serve(5)
    books.books.tick()
    books.kill_gateway()
    books.books.tick()
    (home.parent / "vkey").write_text(books.books.vkey)
    books.close()


def rotate_log(home: Path, fuse: Fuse) -> None:
    books = BooksHome(home, seed=os.getpid())
    fuse.lay()
    books.books.rotate_log_key("op", SCHEDULED)


def broken_log(home: Path) -> list[str]:
    """One log signs; what ended is signed whole and leads to the next; every receipt verifies."""
    (before,) = (home.parent / "vkey").read_text().split()
    again = BooksHome(home, seed=os.getpid() + 1)
    told = []
    try:
        again.books.tick()
        again.changes.note("op", "factory.start", "control")
        again.books.tick()
        with again.store.read() as transaction:
            logs = transaction.books.logs()
            ids = [b.id for b in transaction.books.tenant_batches(0, 100, None)]
        vkey = again.books.vkey
        rotated = [r for r in _changes(again) if r["what"] == "log.rotate"]
        if (len(rotated) == 1) != (vkey != before) or len(logs) != len(rotated) + 1:
            told.append(f"{len(rotated)} rotations on the books, {len(logs)} logs")
        if not ids:
            told.append("the records are gone")
        for line in again.books.export("acme"):
            said = json.loads(line)
            if said["kind"] == "request":
                receipt = again.books.receipt(said["id"])
                try:
                    receipts.verify(receipt or b"", before)
                except receipts.Refused as error:
                    told.append(f"a receipt does not verify: {error}")
        left = [name for name in Disk(home).list("keys") if name.startswith("log")]
        if left != ["log"]:
            told.append(f"keys are left: {left}")
    finally:
        again.close()
    return [*told, *check_ledger(home).problems]


def _changes(home: BooksHome) -> list[dict[str, Any]]:
    with home.store.read() as transaction:
        return [
            json.loads(one.record)
            for log in transaction.books.logs()
            for one in transaction.books.log_records(log.number, 0, 10_000)
            if json.loads(one.record)["kind"] == "change"
        ]


def ended_key(home: Path) -> str:
    """Whether a rotation is on the books."""
    plant = _plant(home)
    try:
        said = any(record["what"] == "key.rotate" for record in plant.records())
    finally:
        plant.store.close()
    return "key.rotate" if said else "not rotated"


def ended_log(home: Path) -> str:
    again = BooksHome(home, seed=os.getpid() + 2)
    try:
        said = any(record["what"] == "log.rotate" for record in _changes(again))
    finally:
        again.close()
    return "log.rotate" if said else "not rotated"


ACTS = {
    "key": Act(keys_template, partial(rotate_key, Role.MEMBER), broken_keys, ended_key),
    "operator-key": Act(keys_template, partial(rotate_key, Role.OPERATOR), broken_keys, ended_key),
    "log-key": Act(log_template, rotate_log, broken_log, ended_log),
}
