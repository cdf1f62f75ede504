"""Feedback: given by receipt, collected into data that runs may train on where a label lets them.

A **book** is an empty asset of kind feedback, called as the model is: its key seals what is said of
that model's answers, its label says what may be done with what is made of it. So all that reaches
an asset (an erase, a retention, a withdrawal) reaches what people said, and what was made of it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Lock

from inland.domain.assets import PART_BYTES, Action, Asset, AssetKind, AssetState, part_count
from inland.domain.errors import BadInput, Busy, Conflict, NotFound
from inland.domain.feedback import Feedback, Said, example
from inland.domain.labels import Purpose
from inland.domain.limits import Limits
from inland.domain.lineage import derived
from inland.domain.plant import Key
from inland.domain.thumbs import Thumb
from inland.ledger.records import REQUEST, Record
from inland.plant.asset_claims import Claims
from inland.plant.asset_rulings import AssetRulings, closed
from inland.plant.asset_terms import AssetTerms
from inland.plant.assets import Assets, mac
from inland.plant.books.shelves import parse_ref
from inland.plant.changes import Changes
from inland.plant.tenants import found_tenant, refuse_beyond
from inland.plant.uploads import NewAsset, Uploads
from inland.ports.assets import AssetRow, AssetTables
from inland.ports.vault import TextName, Vault

#: How many are listed at most, the newest.
LISTED = 1000
_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Collected:
    """A dataset that feedback was collected into. `examples`: how many it has; `made`: whether this
    made it: a version is made of what is new alone."""

    dataset: Asset
    examples: int
    made: bool


class FeedbackRoom:
    """What is said of one factory's answers. Thread-safe."""

    def __init__(
        self,
        changes: Changes,
        vault: Vault,
        assets: Assets,
        uploads: Uploads,
        rulings: AssetRulings,
        claims: Claims,
        limits: Limits,
    ) -> None:
        self._changes = changes
        self._vault = vault
        self._assets = assets
        self._uploads = uploads
        self._rulings = rulings
        self._claims = claims
        self._limits = limits
        self._pace = _Pace(limits.feedback_per_minute)
        self._opening = Lock()

    def all(self, tenant: str | None = None, model: str | None = None) -> list[Feedback]:
        """The newest first, at most `LISTED`."""
        with self._changes.store.read() as transaction:
            return transaction.feedback.some(tenant, model, LISTED)

    def show(self, who: Key, tenant: str, receipt: str) -> tuple[Feedback, str]:
        """One, and what it says in words (`Said.content`), for whom its book may be read by.

        Raises Denied, NotFound, and what the vault does."""
        with self._changes.store.read() as transaction:
            found = transaction.feedback.one(tenant, parse_ref(receipt) or receipt)
            book = transaction.assets.asset(found.book) if found is not None else None
        if found is None:
            raise NotFound(f"feedback on {receipt!r}")
        if book is None:
            return found, ""
        self._rulings.demand(who, Action.READ, book)
        return found, self._opened(found)

    def thumbs(self, release: str, since_unix_s: int) -> Thumb:
        """What was said of a release's answers since then."""
        with self._changes.store.read() as transaction:
            return transaction.feedback.thumbs(release, since_unix_s * 1_000_000)

    def said(self, tenant: str, model: str, since_unix_us: int) -> tuple[int, int]:
        """Of how many answers of a model something was said after that, and of how many what can
        be learned from."""
        with self._changes.store.read() as transaction:
            return transaction.feedback.said(tenant, model, since_unix_us)

    def give(self, who: Key, record: Record, said: Said) -> Feedback:
        """Say something of an answer, or something else than before. `record`: of the request, one
        of the tenant's of `who`.

        Raises BadInput, Busy, Conflict, Denied, and what the vault does.
        """
        content = said.content()
        if len(content) > self._limits.feedback_bytes:
            why = f"has {len(content)} bytes with what was asked; limits.feedback_bytes is"
            raise BadInput("correction", f"{why} {self._limits.feedback_bytes}")
        self._pace.demand(record["tenant"], self._changes.clock.unix_us() // 1_000_000)
        with ExitStack() as claims:
            book, sealed = None, b""
            if content:
                book = self._open_book(who, record["tenant"], _model(record))
                claims.enter_context(self._claims.part(book.id))
                with self._changes.store.read() as transaction:
                    book = _there(transaction.assets, book.id)  # no key is made of one that is gone
                self._rulings.demand(who, Action.STORE, book)
                sealed = self._vault.seal(_name(book.tenant, book.id, record["id"]), content)
            given = Feedback(
                tenant=record["tenant"],
                receipt=record["id"],
                model=_model(record),
                release=record.get("release", {}).get("id", ""),
                thumbs=said.thumbs,
                key=who.id,
                unix_us=self._changes.clock.unix_us(),
                book="" if book is None else book.id,
                sealed=sealed,
                teaches=bool(said.messages),
                waits=bool(sealed),
            )
            self._put(who, given)
        return given

    def remove(self, who: Key, tenant: str, receipt: str) -> None:
        """Nothing is said of that answer any more; the next version that is collected is without
        it. Raises NotFound."""
        with self._changes.act(who.id) as (transaction, book):
            found = transaction.feedback.one(tenant, parse_ref(receipt) or receipt)
            if found is None:
                raise NotFound(f"feedback on {receipt!r}")
            transaction.feedback.remove(tenant, found.receipt)
            book("feedback.remove", found.receipt, tenant=tenant)

    def collect(self, who: Key, tenant: str, model: str, name: str = "") -> Collected:
        """A dataset of all that was said of a model's answers and can be learned from, the next
        version of its name; the one there is where nothing is new.

        Raises Conflict where nothing can be learned from, Busy, Denied, NotFound, and what the
        vault does.
        """
        found_tenant(self._changes, tenant)
        books = self._books(tenant, model)
        ids = [book.id for book in books]
        for book in books:
            self._rulings.demand_for(tenant, Action.READ, book)
        called = name or collected_name(model)
        with ExitStack() as claims:
            for each in sorted(ids):  # in order, so that no two wait for each other
                claims.enter_context(self._claims.whole(each))
            with self._changes.store.read() as transaction:
                taught = transaction.feedback.taught(ids)
            if not taught:
                why = "there is no correction that says what was asked: give one with its messages"
                raise Conflict(f"feedback on {model!r}", why)
            lines = b"".join(example(self._opened(one)) for one in taught)
            before = self._before(tenant, called, books, lines)
            if before is not None:
                return Collected(self._assets.opened(before), len(taught), made=False)
            order = NewAsset(tenant, AssetKind.DATASET, called, len(lines), parents=tuple(ids))
            dataset = self._made(who, order, lines)
            with self._changes.act(who.id) as (transaction, book_it):
                transaction.feedback.collected(ids)
                facts = {"tenant": tenant, "model": model, "examples": len(taught)}
                book_it("feedback.collect", dataset.id, **facts)
        return Collected(dataset, len(taught), made=True)

    # -- what is done of it

    def _put(self, who: Key, given: Feedback) -> None:
        with self._changes.act(who.id) as (transaction, book):
            table = transaction.feedback
            before = table.one(given.tenant, given.receipt)
            if before is None:
                there = table.count(given.tenant)
                refuse_beyond(self._limits.feedback_per_tenant, there, "feedback_per_tenant")
            if given.book:
                _there(transaction.assets, given.book)
            table.put(given)
            book(
                "feedback.give",
                given.receipt,
                tenant=given.tenant,
                model=given.model,
                release=given.release,
                thumbs=given.thumbs.value,
                book=given.book,
                replaced=before is not None,
            )

    def _open_book(self, who: Key, tenant: str, model: str) -> AssetRow:
        """The newest of that model's. One is opened by who says the first words: what is made of it
        may be trained on where the tenant's own label has that purpose."""
        with self._opening:
            books = self._books(tenant, model)
            if books:
                return books[-1]
            label = found_tenant(self._changes, tenant).label
            uses = tuple(
                use for use in Purpose if use is not Purpose.TRAIN or use in label.purposes
            )
            terms = AssetTerms(purposes=uses, derived_purposes=uses)
            order = NewAsset(tenant, AssetKind.FEEDBACK, model, 0, terms=terms)
            begun = self._uploads.begin(who, order)
            self._uploads.finish(who, begun.id)
            return self._books(tenant, model)[-1]

    def _books(self, tenant: str, model: str) -> list[AssetRow]:
        return self._named(tenant, AssetKind.FEEDBACK, model)

    def _before(
        self, tenant: str, name: str, books: list[AssetRow], lines: bytes
    ) -> AssetRow | None:
        """The newest dataset of that name, if it is these lines out of these books, under the label
        that they give it now."""
        key = self._vault.digest_key(tenant)
        digest = mac(key, *(bytes.fromhex(mac(key, part)) for part in _parts(lines)))
        label = AssetTerms().over(derived(tenant, [closed(book) for book in books]))
        made = (digest, tuple(book.id for book in books), label)
        found = self._named(tenant, AssetKind.DATASET, name)[-1:]
        return next((one for one in found if (one.digest, one.parents, one.label) == made), None)

    def _named(self, tenant: str, kind: AssetKind, name: str) -> list[AssetRow]:
        key = mac(self._vault.digest_key(tenant), b"name", name.encode())
        with self._changes.store.read() as transaction:
            rows = transaction.assets.named(tenant, kind, key)
        found = [row for row in rows if row.state is AssetState.LIVE]
        return sorted(found, key=lambda row: row.version)

    def _made(self, who: Key, order: NewAsset, lines: bytes) -> Asset:
        begun = self._uploads.begin(who, order)
        for number, part in enumerate(_parts(lines)):
            self._uploads.put(who, begun.id, number, part)
        return self._uploads.finish(who, begun.id)

    def _opened(self, one: Feedback) -> str:
        return self._vault.unseal(_name(one.tenant, one.book, one.receipt), one.sealed)


class _Pace:
    """How many of each tenant's there were in this minute of the clock. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._minute = 0
        self._given: dict[str, int] = {}
        self._lock = Lock()

    def demand(self, tenant: str, unix_s: int) -> None:
        """Raises Busy."""
        with self._lock:
            minute, over_s = divmod(unix_s, _MINUTE_S)
            if minute != self._minute:
                self._minute, self._given = minute, {}
            given = self._given.get(tenant, 0)
            if given >= self._most:
                why = f"limits.feedback_per_minute is {self._most}"
                raise Busy(why, _MINUTE_S - over_s)
            self._given[tenant] = given + 1


def collected_name(model: str) -> str:
    """How a dataset is called that what was said of a model is collected into."""
    return f"feedback-{model}"


def about(record: Record | None, tenant: str | None) -> Record | None:
    """The record, if it is of a request of that tenant: of no other can anything be said."""
    if record is None or record.get("kind") != REQUEST or record.get("tenant") != tenant:
        return None
    return record


def _there(assets: AssetTables, book: str) -> AssetRow:
    """Raises Busy where it is erased: who asks again gives to another."""
    row = assets.asset(book)
    if row is None or row.state is not AssetState.LIVE:
        raise Busy("what it rests in is being erased", 1)
    return row


def _model(record: Record) -> str:
    """What was asked, as it was asked for."""
    return str(record["release"]["name"] if "release" in record else record["deployment"])


def _name(tenant: str, book: str, receipt: str) -> TextName:
    return TextName(tenant, book, f"feedback {receipt}")


def _parts(data: bytes) -> Iterator[bytes]:
    for number in range(part_count(len(data))):
        yield data[number * PART_BYTES :][:PART_BYTES]
