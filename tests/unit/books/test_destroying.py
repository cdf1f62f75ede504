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

from inland.adapters.files.clock import SystemClock
from inland.adapters.files.disk import Disk
from inland.bootstrap.books import check_ledger
from inland.decide.policy_set import default_files, join_files, policy_digest
from inland.domain.contracts import Contract
from inland.domain.errors import Conflict, Denied
from inland.domain.labels import Label
from inland.domain.plant import Key, Role, Tenant
from inland.domain.pricing import Price
from inland.ledger import receipts
from inland.ledger.tombstones import is_tombstone
from inland.plant.destroying import Destroying
from inland.plant.invoices import Invoices
from inland.plant.reports import Reports
from tests.books_home import BooksHome

SCRIPT = Path(__file__).parents[3] / "verifier" / "inland_bill.py"
DECEMBER_S, JANUARY_S, NOW_S = (
    int(datetime(*day, tzinfo=UTC).timestamp())
    for day in ((2026, 12, 1), (2027, 1, 1), (2027, 1, 20))
)
KEYS = {
    "admin": Key("admin", "acme", Role.TENANT_ADMIN, ""),
    "member": Key("member", "acme", Role.MEMBER, ""),
    "other": Key("other", "demo", Role.TENANT_ADMIN, ""),
    "operator": Key("op", None, Role.OPERATOR, ""),
}


class Clock(SystemClock):
    """It is when a test says."""

    now_s = NOW_S

    def unix_us(self) -> int:
        return self.now_s * 10**6


class Cut(BaseException):
    """The process ends here."""


class World:
    """Books of two tenants over two months and some days, by two lives of a gateway."""

    def __init__(self, root: Path) -> None:
        self.home = BooksHome(root)
        self.store, self.books = self.home.store, self.home.books
        with self.store.write() as transaction:
            for tenant in self.home.tenants:
                transaction.state.put_tenant(Tenant(tenant, Label(tenant, ("DE",))))
            for key in KEYS.values():
                transaction.state.put_key(key)
            text = join_files(default_files())
            transaction.state.set_policy(policy_digest(text), text)
            transaction.billing.put_price(Price("smollm2", 0, "EUR", 150_000, 37_500, 600_000))
        self.records: list[dict[str, Any]] = []
        for at_s, facts in (
            (DECEMBER_S - 86_400, {}),
            (DECEMBER_S - 5, {"billed": False, "outcome": "failed"}),
            (DECEMBER_S + 5, {}),
            (JANUARY_S - 5, {"deployment": "unpriced"}),
        ):
            self.home.at(at_s * 10**6)
            self.records += self.home.serve(6, **facts)
            self.books.tick()
        self.home.kill_gateway()
        self.home.at((JANUARY_S + 5) * 10**6)
        self.records += self.home.serve(6)
        self.books.tick()
        self.home.at(NOW_S * 10**6)
        self.books.tick()
        self.clock = Clock()
        files = Disk(root)
        self.invoices = Invoices(files, self.store, self.clock, 600, lambda: ())
        self.destroying = Destroying(
            files, self.home.changes, self.invoices, self.books.alone, lambda run: run()
        )
        self.reports = Reports(self.store, self.books, self.clock, 600)

    def of(self, tenant: str, since_s: int, until_s: int) -> list[dict[str, Any]]:
        return [
            one
            for one in self.records
            if one["tenant"] == tenant and since_s * 10**6 <= one["time"] < until_s * 10**6
        ]

    def file_bytes(self) -> bytes:
        found = (self.home.home.root / "records").rglob("*.jsonl*")
        return b"".join(file.read_bytes() for file in found)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "home")
    yield made
    made.home.close()


def _said(world: World) -> list[dict[str, Any]]:
    """Every change on the books."""
    with world.store.read() as transaction:
        found = transaction.books.log_records(0, 0, 10_000)
    every = [json.loads(one.record) for one in found]
    return [one for one in every if one["kind"] == "change"]


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
    intent = next(one for one in _said(world) if one["what"] == "record.intend")
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
