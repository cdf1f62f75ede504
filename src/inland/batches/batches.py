"""Batches: begun, shown, cancelled. What one does next its worker decides."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from inland.domain.assets import Action
from inland.domain.batches import BATCH_ID, BATCH_LIFE, Batch, BatchState
from inland.domain.errors import Conflict, Denied, NotFound
from inland.domain.limits import Limits
from inland.domain.plant import Key
from inland.plant.asset_rulings import AssetRulings
from inland.plant.changes import Book, Changes
from inland.plant.files import Files
from inland.plant.tenants import refuse_beyond
from inland.ports.batches import BatchTables
from inland.ports.store import Transaction

#: Windows that may be asked for, in seconds.
WINDOWS = {"24h": 86_400}
#: Who begins a batch lets it ask whatever its tenant may.
_RULE = "the key's own models"


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch asked for. `file`: its input, as a file is called."""

    tenant: str
    file: str
    endpoint: str
    window: str
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a tenant's batches, the newest first, and whether there are more."""

    batches: list[Batch]
    more: bool


class Batches:
    """The batches of one factory."""

    def __init__(
        self,
        changes: Changes,
        files: Files,
        rulings: AssetRulings,
        limits: Limits,
        stop: Callable[[str, str], None],
    ) -> None:
        """`stop`: nothing new is asked for a batch from then on."""
        self._changes = changes
        self._files = files
        self._rulings = rulings
        self._limits = limits
        self._stop = stop

    def begin(self, who: Key, new: NewBatch) -> Batch:
        """Begin one; returns when it is on the books. Its input is read after that.

        Raises Conflict, Denied, NotFound.
        """
        if who.models:
            remedy = "begin it with a key that is not limited to models"
            raise Denied("a batch", (_RULE,), remedy)
        row = self._files.show(new.tenant, new.file)
        decided = self._rulings.demand(who, Action.SERVE, row)
        with self._changes.act(who.id) as (transaction, book):
            self._refuse_more(transaction.batches, new.tenant)
            facts = {"endpoint": new.endpoint, "input": row.id, **decided.facts()}
            record = book("batch.begin", row.id, tenant=new.tenant, **facts)
            now_s = self._changes.clock.unix_us() // 1_000_000
            batch = Batch(
                id=f"{BATCH_ID}{record}",
                tenant=new.tenant,
                by=who.id,
                state=BatchState.VALIDATING,
                endpoint=new.endpoint,
                input=row.id,
                created_unix_s=now_s,
                expires_unix_s=now_s + WINDOWS[new.window],
                metadata=new.metadata,
            )
            transaction.batches.put_batch(batch)
            transaction.batches.forget_batches(new.tenant, self._limits.batches_kept)
        return batch

    def show(self, tenant: str, batch: str) -> Batch:
        """With what was answered so far. Raises NotFound."""
        with self._changes.store.read() as transaction:
            return counted(transaction.batches, found_batch(transaction.batches, tenant, batch))

    def page(self, tenant: str, after: str | None, limit: int) -> Page:
        """Those behind `after`. Raises NotFound for one that is not there."""
        with self._changes.store.read() as transaction:
            tables = transaction.batches
            before = None if after is None else found_batch(tables, tenant, after)
            found = tables.batches(tenant, before, limit + 1)
            shown = [counted(tables, one) for one in found[:limit]]
        return Page(shown, more=len(found) > limit)

    def cancel(self, who: Key, tenant: str, batch: str) -> Batch:
        """Nothing new is asked for it when it returns; what was answered becomes files. One that
        is being cancelled is shown again. Raises Conflict, NotFound."""
        with self._changes.act(who.id) as (transaction, book):
            found = found_batch(transaction.batches, tenant, batch)
            if found.state not in {BatchState.CANCELLING, BatchState.CANCELLED}:
                found = moved(found, BatchState.CANCELLING, self._changes)
                transaction.batches.put_batch(found)
                book("batch.cancel", batch, tenant=tenant)
        self._stop(batch, "it was cancelled")
        return self.show(tenant, batch)

    def _refuse_more(self, tables: BatchTables, tenant: str) -> None:
        under_way = tables.under_way()
        own = sum(one.tenant == tenant for one in under_way)
        refuse_beyond(self._limits.batches_per_tenant, own, "batches_per_tenant")
        refuse_beyond(self._limits.batches, len(under_way), "batches")


def found_batch(tables: BatchTables, tenant: str, batch: str) -> Batch:
    """The batch, if it is that tenant's. Raises NotFound."""
    found = tables.batch(batch)
    if found is None or found.tenant != tenant:
        raise NotFound(f"batch {batch!r}")
    return found


def counted(tables: BatchTables, batch: Batch) -> Batch:
    """With how many requests of it were answered so far; of one that is over that stands in it."""
    if not BATCH_LIFE[batch.state]:
        return batch
    answered, _ = tables.counts(batch.id, failed=False)
    failed, _ = tables.counts(batch.id, failed=True)
    return replace(batch, answered=answered, failed=failed)


def moved(batch: Batch, state: BatchState, changes: Changes) -> Batch:
    """Raises Conflict for a move that a batch's life does not have."""
    if state not in BATCH_LIFE[batch.state]:
        raise Conflict(
            f"batch {batch.id}", f"it is {batch.state.value}, and not to be {state.value}"
        )
    now_s = changes.clock.unix_us() // 1_000_000
    return replace(batch, state=state, times={**batch.times, state.value: now_s})


def book_end(transaction: Transaction, book: Book, batch: Batch, why: str) -> None:
    """Put one that is over, and the record of how it ended."""
    transaction.batches.put_batch(batch)
    transaction.batches.forget_answers(batch.id)
    book(
        "batch.end",
        batch.id,
        tenant=batch.tenant,
        state=batch.state.value,
        requests=batch.total,
        answered=batch.answered,
        failed=batch.failed,
        output=batch.output or None,
        refused=batch.refused or None,
        why=why,
    )
