"""Lines as they are declared: added from a file, shown, paused. What a line names is looked up when
a run of it begins, so that a name's newest version is taken."""

from dataclasses import replace
from hashlib import sha256

from inland.decide.lines.line_file import line_of
from inland.domain.errors import Conflict, NotFound
from inland.domain.lines import KeptLine
from inland.domain.plant import Key
from inland.plant.changes import Book, Changes
from inland.plant.tenants import found_tenant, refuse_beyond
from inland.ports.lines import LineTables
from inland.ports.store import Transaction


class Lines:
    """The lines of one factory."""

    def __init__(self, changes: Changes, most: int) -> None:
        """`most`: of one tenant."""
        self._changes = changes
        self._most = most

    def all(self, tenant: str | None = None) -> list[KeptLine]:
        """Every tenant's, or one's, by name."""
        with self._changes.store.read() as transaction:
            return transaction.lines.lines(tenant)

    def show(self, tenant: str, name: str) -> KeptLine:
        """Raises NotFound."""
        with self._changes.store.read() as transaction:
            return kept_line(transaction.lines, tenant, name)

    def add(self, who: Key, tenant: str, text: str) -> KeptLine:
        """Declare a line, or declare the one of that name anew; a run under way goes on as it
        began.

        Raises BadInput naming the table and field, Conflict, NotFound.
        """
        line = line_of(text)
        found_tenant(self._changes, tenant)
        kept = KeptLine(tenant, line, text, self._changes.clock.unix_us() // 1_000_000)
        with self._changes.act(who.id) as (transaction, book):
            return self.put(transaction, book, kept)

    def put(self, transaction: Transaction, book: Book, kept: KeptLine) -> KeptLine:
        """As `add`, in a transaction of somebody else's: paused where the one before it was, and
        with its key, unless that was revoked."""
        tenant, line = kept.tenant, kept.line
        before = transaction.lines.line(tenant, line.name)
        if before is None and not line.once:
            there = sum(not one.line.once for one in transaction.lines.lines(tenant))
            refuse_beyond(self._most, there, "lines_per_tenant")
        if before is not None:
            kept = replace(kept, paused=before.paused, key=_key_left(transaction, before))
        transaction.lines.put_line(kept)
        book(
            "line.add",
            line.name,
            tenant=tenant,
            sha256=sha256(kept.text.encode()).hexdigest(),
            base=line.base,
            steps=[kind.value for kind in line.steps],
            replaced=before is not None,
        )
        return kept

    def pause(self, who: Key, tenant: str, name: str, *, paused: bool) -> KeptLine:
        """No run of it begins while it is paused, whoever asks; one under way goes on. Raises
        NotFound."""
        with self._changes.act(who.id) as (transaction, book):
            kept = kept_line(transaction.lines, tenant, name)
            if kept.paused != paused:
                kept = replace(kept, paused=paused)
                transaction.lines.put_line(kept)
                book("line.pause" if paused else "line.go-on", name, tenant=tenant)
        return kept


def _key_left(transaction: Transaction, kept: KeptLine) -> str:
    key = transaction.state.key(kept.key) if kept.key else None
    return "" if key is None or key.revoked else key.id


def kept_line(tables: LineTables, tenant: str, name: str) -> KeptLine:
    """The tenant's line of that name. Raises NotFound."""
    kept = tables.line(tenant, name)
    if kept is None:
        raise NotFound(f"line {name!r}")
    return kept


def demand_idle(tables: LineTables, kept: KeptLine) -> None:
    """Raises Conflict where it may begin no run: it is paused, or one is under way."""
    name = kept.line.name
    if kept.paused:
        raise Conflict(f"line {name!r}", "it is paused; inland line pause NAME --off lets it run")
    for run in tables.under_way():  # one that was resumed may have begun before others
        if (run.tenant, run.line) == (kept.tenant, name):
            why = f"run {run.id} is under way: wait for it, or inland run cancel {run.id}"
            raise Conflict(f"line {name!r}", why)
