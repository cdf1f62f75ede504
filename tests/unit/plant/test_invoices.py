"""Invoices over real books, recomputed by the auditor's file in a process of its own."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from inland.adapters.files.clock import SystemClock
from inland.adapters.files.disk import Disk
from inland.api.invoice_page import page
from inland.api.invoices import InvoiceView
from inland.api.prices import PriceView
from inland.bootstrap.books import check_ledger
from inland.domain.errors import BadInput, NotFound
from inland.domain.labels import Label
from inland.domain.plant import Tenant
from inland.domain.pricing import Price
from inland.plant.invoices import Invoices
from tests.books_home import BooksHome

SCRIPT = Path(__file__).parents[3] / "verifier" / "inland_bill.py"
MIDNIGHT_S = int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())
CHANGED_S = MIDNIGHT_S + 3600


@pytest.fixture
def books(tmp_path):
    made = BooksHome(tmp_path / "home")
    with made.store.write() as transaction:
        for tenant in made.tenants:
            transaction.state.put_tenant(Tenant(tenant, Label(tenant, ("DE",))))
        for since, prices in ((0, (150_000, 37_500, 600_000)), (CHANGED_S, (3, 1, 7_777_777))):
            transaction.billing.put_price(Price("smollm2", since, "EUR", *prices))
        transaction.billing.put_price(Price("yen", MIDNIGHT_S, "JPY", 1_500_000, 0, 2_500_000))
    yield made
    made.close()


class Clock(SystemClock):
    """It is when a test says."""

    now_s = 0

    def unix_us(self):
        return self.now_s * 10**6


def invoices(books):
    return Invoices(Disk(books.home.root), books.store, SystemClock(), 600, lambda: ())


def serve(books):
    """Before and after a midnight that ends a month, before and after a change of price."""
    cached = {"prompt_tokens": 900, "cached_tokens": 333}
    for at_s, facts in (
        (MIDNIGHT_S - 5, {}),
        (MIDNIGHT_S, cached),
        (CHANGED_S - 1, {"deployment": "yen"}),
        (CHANGED_S, cached),
        (CHANGED_S + 9, {"billed": False, "outcome": "failed"}),
        (CHANGED_S + 10, {"deployment": "unpriced"}),
    ):
        books.at(at_s * 10**6 - 1000 if at_s == MIDNIGHT_S else at_s * 10**6)
        books.serve(7, **facts)
        books.books.tick()


def recomputed(books, folder, tenant, month, invoice):
    files = {
        "records": b"".join(line + b"\n" for line in books.books.export(tenant)),
        "invoice": InvoiceView.of(invoice).model_dump_json().encode(),
    }
    with books.store.read() as transaction:
        held = transaction.billing.prices().values()
    shown = [PriceView.of(one).model_dump() for prices in held for one in prices]
    files["prices"] = json.dumps(shown).encode()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    argv = [sys.executable, "-I", str(SCRIPT), "records", "prices", month, "invoice"]
    return subprocess.run(argv, capture_output=True, text=True, cwd=folder, check=False)


@pytest.mark.parametrize("month", ["2026-11", "2026-12", "2027-01"])
def test_an_invoice_is_what_an_auditor_recomputes_from_an_export(books, tmp_path, month):
    serve(books)
    for tenant in books.tenants:
        invoice = invoices(books).make(tenant, month)
        done = recomputed(books, tmp_path, tenant, month, invoice)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["records"] == invoice.records
        assert sum(one.records for one in invoice.covered) == invoice.records
        assert bool(invoice.records) == (month != "2027-01")
    assert check_ledger(books.home.root).problems == ()


def test_the_auditor_is_told_of_an_invoice_that_is_a_cent_off(books, tmp_path):
    serve(books)
    invoice = invoices(books).make("acme", "2026-12")
    said = InvoiceView.of(invoice).model_dump()
    said["totals"][0]["amount"] = "0.01"
    (tmp_path / "wrong").write_text(json.dumps(said))
    recomputed(books, tmp_path, "acme", "2026-12", invoice)
    argv = [sys.executable, "-I", str(SCRIPT), "records", "prices", "2026-12", "wrong"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert "says otherwise" in done.stderr


@pytest.mark.parametrize("words", [[], ["records", "prices"], ["records", "prices", "2026-1"]])
def test_the_auditor_is_told_which_words_are_missing(words):
    argv = [sys.executable, "-I", str(SCRIPT), *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "RECORDS.jsonl PRICES.json YYYY-MM" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_record_belongs_to_the_month_and_the_price_of_its_own_time(books):
    serve(books)
    november, december = (invoices(books).make("acme", m) for m in ("2026-11", "2026-12"))
    assert {line.price.since_unix_s for line in november.lines} == {0}
    assert {line.until_unix_s for line in november.lines} == {CHANGED_S}
    by = {(x.deployment, x.price and x.price.since_unix_s): x for x in december.lines}
    assert by.keys() == {
        ("smollm2", 0),
        ("smollm2", CHANGED_S),
        ("yen", MIDNIGHT_S),
        ("unpriced", None),
    }
    assert december.totals.keys() == {"EUR", "JPY"}
    assert all(line.minor == 0 for line in december.lines if line.price is None)


def test_what_was_spent_is_summed_by_day_price_and_writer(books):
    serve(books)
    with books.store.read() as transaction:
        rows = list(transaction.billing.spending("acme", MIDNIGHT_S))
    assert {row.writer for row in rows} == {books.writer}
    assert {(row.deployment, row.price_unix_s) for row in rows} == {
        ("smollm2", 0),
        ("smollm2", CHANGED_S),
        ("yen", MIDNIGHT_S),
        ("unpriced", 0),
    }
    december = invoices(books).make("acme", "2026-12")
    assert sum(sum(row.tokens) - row.cached_tokens for row in rows) == sum(
        line.tokens for line in december.lines
    )


def test_a_month_is_final_when_it_is_over_and_nothing_waits_to_be_booked(books):
    clock = Clock()
    alarms: list[str] = []
    made = Invoices(Disk(books.home.root), books.store, clock, 600, lambda: tuple(alarms))
    clock.now_s = MIDNIGHT_S + 600
    assert not made.make("acme", "2026-11").final
    clock.now_s += 60
    assert made.make("acme", "2026-11").final
    alarms.append("journal/w1: damaged")
    assert not made.make("acme", "2026-11").final


@pytest.mark.parametrize(
    "month",
    ["", "2026", "2026-13", "2026-1", "2026-01-01", "1969-12", "9999-12", "٢٠٢٧-01"],
)
def test_what_is_no_month_is_refused(books, month):
    with pytest.raises(BadInput):
        invoices(books).make("acme", month)


def test_a_final_invoice_has_what_was_booked_when_it_was_found_final(books):
    serve(books)
    books.at((MIDNIGHT_S - 60) * 10**6)
    books.serve(7)
    clock = Clock()
    clock.now_s = CHANGED_S + 86_400

    def left() -> list[str]:
        """A gateway's last record is booked just now."""
        books.books.tick()
        return []

    disk = Disk(books.home.root)
    made = Invoices(disk, books.store, clock, 600, left)
    found = {tenant: made.make(tenant, "2026-11") for tenant in books.tenants}
    assert all(one.final for one in found.values())
    for tenant, one in found.items():
        assert one.records == invoices(books).make(tenant, "2026-11").records


def test_nobodys_invoice_is_not_found(books):
    with pytest.raises(NotFound):
        invoices(books).make("zeta", "2026-12")


def test_the_page_is_one_file_without_scripts_and_escapes_what_it_shows(books):
    serve(books)
    view = InvoiceView.of(invoices(books).make("acme", "2026-12")).model_dump(mode="json")
    view["lines"][0]["deployment"] = "<script>alert(1)</script>"
    text = page(view)
    tags: list[str] = []
    links: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append(tag)
            links.extend(name for name, _ in attrs if name in {"src", "href"})

    Reader().feed(text)
    assert "script" not in tags
    assert not links
    assert {"table", "style", "meta"} <= set(tags)
    for total in view["totals"]:
        assert f"{total['amount']} {total['currency']}" in text
