"""Records destroyed: everything else still proves what it did, and what they came to stays."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from inland.adapters.files.disk import Disk
from inland.bootstrap.books import check_ledger
from inland.decide.policy_set import policy_digest
from inland.domain.contracts import Contract
from inland.domain.errors import Conflict, Denied
from inland.ledger import receipts
from inland.ledger.tombstones import is_tombstone
from tests.unit.books.destroying_world import DECEMBER_S, JANUARY_S, KEYS, NOW_S, World

SCRIPT = Path(__file__).parents[3] / "verifier" / "inland_bill.py"


class Cut(BaseException):
    """The process ends here."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "home")
    yield made
    made.home.close()


def exported(world: World, tenant: str) -> list[bytes]:
    return list(world.books.export(tenant))


def test_destroyed_records_are_in_no_file_and_all_else_proves_what_it_did(world: World):
    before = world.books.usage(None)
    kept = {month: world.invoices.make("acme", month) for month in ("2026-11", "2026-12")}
    told = world.destroying.destroy(KEYS["admin"], "acme", JANUARY_S)
    gone, stay = world.of("acme", 0, JANUARY_S), world.of("acme", JANUARY_S, NOW_S)
    assert (told.records, told.months) == (len(gone), ("2026-11", "2026-12"))
    left = world.file_bytes()
    for record in gone:
        for private in (record["salt"], record["input"], record["output"][0]):
            assert private.encode() not in left
        with pytest.raises(Conflict, match="destroyed"):
            world.books.receipt(record["id"])
    world.books.tick()
    for record in [*stay, *world.of("demo", 0, NOW_S)]:
        receipts.verify(world.books.receipt(record["id"]) or b"", world.books.vkey)
    intent = next(one for one in world.said() if one["what"] == "record.intend")
    for reference in (told.record, intent["id"]):
        receipts.verify(world.books.receipt(reference) or b"", world.books.vkey)
    assert intent["details"]["decided_by"] == ["records.destroy"]
    assert check_ledger(world.home.home.root).problems == ()
    assert check_ledger(world.home.home.root).counted["destroyed"] == len(gone)
    assert world.books.usage(None) == before
    for month, invoice in kept.items():
        assert world.invoices.make("acme", month) == invoice
    assert sum(map(is_tombstone, exported(world, "acme"))) == len(gone)
    assert len(exported(world, "demo")) > 0
    assert not any(map(is_tombstone, exported(world, "demo")))


def test_what_is_booked_later_lies_behind_the_tombstones(world: World):
    world.destroying.destroy(KEYS["admin"], "acme", JANUARY_S)
    later = world.home.serve(6)
    world.books.tick()
    for record in later:
        receipts.verify(world.books.receipt(record["id"]) or b"", world.books.vkey)
    again = world.destroying.destroy(KEYS["admin"], "acme", JANUARY_S)
    assert (again.records, again.record) == (0, ""), "nothing is left to destroy"
    assert check_ledger(world.home.home.root).problems == ()


def test_a_second_time_destroys_what_is_left_of_the_first(world: World):
    first = world.destroying.destroy(KEYS["operator"], "acme", DECEMBER_S + 10)
    second = world.destroying.destroy(KEYS["operator"], "acme", JANUARY_S)
    assert first.records + second.records == len(world.of("acme", 0, JANUARY_S))
    assert world.invoices.make("acme", "2026-12").records > 0
    assert check_ledger(world.home.home.root).problems == ()


def test_only_to_tell_changes_nothing(world: World):
    before = world.file_bytes()
    told = world.destroying.destroy(KEYS["admin"], "acme", JANUARY_S, only_tell=True)
    assert told.records
    assert not told.record
    assert world.file_bytes() == before


def test_a_month_that_is_not_closed_is_refused_whole(world: World):
    before = world.file_bytes()
    with pytest.raises(Conflict, match="2027-01-01"):
        world.destroying.destroy(KEYS["admin"], "acme", NOW_S)
    assert world.file_bytes() == before
    world.clock.now_s = int(datetime(2027, 2, 2, tzinfo=UTC).timestamp())
    with pytest.raises(Conflict, match="journal"):  # the gateway's own, which only it writes
        world.destroying.destroy(KEYS["admin"], "acme", NOW_S)
    world.home.kill_gateway()
    world.books.tick()
    assert world.destroying.destroy(KEYS["admin"], "acme", NOW_S).record
    assert check_ledger(world.home.home.root).problems == ()


@pytest.mark.parametrize("who", ["member", "other"])
def test_destroying_takes_an_admin_of_the_tenant_or_an_operator(world: World, who: str):
    with pytest.raises(Denied, match=r"role|own tenant"):
        world.destroying.destroy(KEYS[who], "acme", JANUARY_S)


def test_policies_that_name_no_records_permit_nothing(world: World):
    text = "permit (principal, action, resource);"
    with world.store.write() as transaction:
        transaction.state.set_policy(policy_digest(text), text)
        transaction.state.raise_version()
    with pytest.raises(Denied, match=r"records\.cedar"):
        world.destroying.destroy(KEYS["admin"], "acme", JANUARY_S)


def test_no_report_is_made_of_contracts_whose_records_are_gone(world: World):
    with world.store.write() as transaction:
        contract = Contract("c", "acme", "smollm2", 1, since_unix_s=DECEMBER_S - 9)
        transaction.state.put_contract(contract)
    world.destroying.destroy(KEYS["admin"], "acme", DECEMBER_S)
    with pytest.raises(Conflict, match="destroyed"):
        world.reports.month("2026-11", "acme", None)


def test_the_auditors_bill_says_that_records_are_missing(world: World, tmp_path: Path):
    world.destroying.destroy(KEYS["admin"], "acme", DECEMBER_S)
    (tmp_path / "records").write_bytes(b"\n".join(exported(world, "acme")) + b"\n")
    (tmp_path / "prices").write_text("[]")
    argv = [sys.executable, str(SCRIPT), str(tmp_path / "records"), str(tmp_path / "prices")]
    done = subprocess.run([*argv, "2026-11"], capture_output=True, text=True, check=True)
    assert "were destroyed" in done.stderr
    assert json.loads(done.stdout)["records"] == 0


def cut_at(world: World, step: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Destroy, and end just before a step of it; whether there were so many."""
    left = [step]

    def ending(done: Callable[..., Any]) -> Callable[..., Any]:
        def one(*given: Any, **named: Any) -> Any:
            if not left[0]:
                raise Cut
            left[0] -= 1
            return done(*given, **named)

        return one

    with monkeypatch.context() as patch:
        for name in ("open", "rename", "sync_dir"):
            patch.setattr(Disk, name, ending(getattr(Disk, name)))
        patch.setattr(world.home.changes, "act", ending(world.home.changes.act))
        try:
            world.destroying.destroy(KEYS["admin"], "acme", JANUARY_S)
        except Cut:
            return True
    return False


def test_destroying_that_is_cut_at_any_step_is_gone_on_with(tmp_path: Path, monkeypatch):
    step = 0
    while True:
        world = World(tmp_path / str(step))
        root = world.home.home.root
        cut = cut_at(world, step, monkeypatch)
        assert check_ledger(root).problems == (), f"half way, at {step}"
        world.destroying.step()
        assert check_ledger(root).problems == (), f"gone on with from {step}"
        counted = check_ledger(root).counted["destroyed"]
        assert counted in (0, len(world.of("acme", 0, JANUARY_S)))
        world.destroying.step()
        world.home.close()
        if not cut:
            break
        step += 1
    assert step > 5


@contextmanager
def changed(path: Path, make: Callable[[bytes], bytes]) -> Iterator[None]:
    kept = path.read_bytes()
    path.write_bytes(make(kept))
    yield
    path.write_bytes(kept)


def test_a_record_that_is_missing_without_an_act_is_found_and_so_is_one_that_is_back(world: World):
    root = world.home.home.root
    originals = {path: path.read_bytes() for path in (root / "records" / "acme").iterdir()}
    world.destroying.destroy(KEYS["admin"], "acme", JANUARY_S)
    path = next(p for p in originals if is_tombstone(p.read_bytes().split(b"\n")[0]))
    assert check_ledger(root).problems == ()
    stones = path.read_bytes()
    for make in (
        lambda _: originals[path],  # back again
        lambda data: data.replace(b'"destroyed":"', b'"destroyed":"0', 1),
        lambda data: data.replace(data[14:18], b"0000", 1),
    ):
        with changed(path, make):
            assert check_ledger(root).problems
    theirs = next((root / "records" / "demo").iterdir())

    def forged(data: bytes) -> bytes:
        """A record of somebody else's gone by the act of another."""
        first, rest = data.split(b"\n", 1)
        stone = stones.split(b"\n")[0].rstrip()
        return stone.ljust(len(first)) + b"\n" + rest

    with changed(theirs, forged):
        assert check_ledger(root).problems
    assert check_ledger(root).problems == ()
