"""Uploads: an asset's content comes part by part, goes on where it was cut, and shows when whole.

What nobody went on with for `limits.upload_s` is removed, its key and parts with it.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Protocol

from inland.domain.assets import (
    PART_BYTES,
    Action,
    Asset,
    AssetKind,
    AssetState,
    part_bytes,
    part_count,
)
from inland.domain.errors import BadInput, Busy, Conflict, NotFound
from inland.domain.labels import Label
from inland.domain.limits import Limits
from inland.domain.plant import Key
from inland.plant.asset_claims import Claims
from inland.plant.asset_rulings import AssetRulings, acting, closed, unknown
from inland.plant.asset_terms import AssetTerms
from inland.plant.assets import (
    MAX_NAME_CHARS,
    MAX_TITLE_CHARS,
    Assets,
    demand_live,
    ends_of,
    intend,
    label_facts,
    mac,
    mac_of,
    owned,
    seen,
    undo,
)
from inland.plant.changes import Changes
from inland.plant.tenants import refuse_beyond
from inland.ports.assets import AssetRow, AssetTables, Intent, Part
from inland.ports.store import Transaction
from inland.ports.vault import NAME, TITLE, PartName, TextName, Vault

ID_BYTES = 16
MAX_PARENTS, MAX_RUN_CHARS, MAX_RESUME_CHARS = 64, 64, 256
#: Most parts of one asset: four TiB.
MAX_PARTS = 1 << 20
_RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class NewAsset:
    """What somebody wants to add. `resume`: a word for the very content, by which a cut upload is
    found again; empty for one that is not to be."""

    tenant: str
    kind: AssetKind
    name: str
    bytes: int
    title: str = ""
    terms: AssetTerms = field(default_factory=AssetTerms)
    parents: tuple[str, ...] = ()
    run: str = ""
    resume: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload under way: how many parts it has and which were received."""

    id: str
    tenant: str
    bytes: int
    parts: int
    received: tuple[int, ...]
    part_bytes: int = PART_BYTES


class Content(Protocol):
    """What is sent of an upload at a time. Read once, in order."""

    def __len__(self) -> int:
        """Bytes that were not taken yet."""
        ...

    def take(self, length: int) -> Iterator[memoryview]:
        """The next `length` bytes in pieces, each gone when the next is asked for. Raises BadInput
        where they do not come."""
        ...


class Held:
    """Content that is there already."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def __len__(self) -> int:
        return len(self._data)

    def take(self, length: int) -> Iterator[memoryview]:
        data, self._data = self._data[:length], self._data[length:]
        yield data


class Uploads:
    """Uploads of one factory. Any number of threads may put parts, of one upload too."""

    def __init__(
        self,
        changes: Changes,
        vault: Vault,
        assets: Assets,
        rulings: AssetRulings,
        claims: Claims,
        limits: Limits,
    ) -> None:
        self._changes = changes
        self._vault = vault
        self._assets = assets
        self._rulings = rulings
        self._claims = claims
        self._limits = limits

    def begin(self, who: Key, wanted: NewAsset) -> Upload:
        """Begin, or go on with the one of the same name and `resume`.

        Raises BadInput, Conflict, Denied, NotFound, and what the vault does.
        """
        _check(wanted)
        key = self._tenants_key(wanted.tenant)
        with self._changes.store.read() as transaction:
            row = _begun(wanted, self._changes, key, self._label(transaction, who, wanted))
        decided = self._rulings.demand(who, Action.STORE, row)
        with self._changes.act(who.id) as (transaction, book):
            if self._label(transaction, who, wanted) != row.label:
                raise Busy("what it is made from was labelled anew", _RETRY_AFTER_S)
            _refuse_anothers(transaction, who, wanted)
            under_way = transaction.assets.uploads(row.tenant)
            before = next((one for one in under_way if row.resume and _goes_on(one, row)), None)
            if before is None:
                refuse_beyond(self._limits.uploads_per_tenant, len(under_way), "uploads_per_tenant")
                own = transaction.assets.count(row.tenant)
                refuse_beyond(self._limits.assets_per_tenant, own, "assets_per_tenant")
                refuse_beyond(self._limits.assets, transaction.assets.count(), "assets")
                transaction.assets.put_asset(row)
                facts = {"kind": row.kind.value, "bytes": row.bytes, **decided.facts()}
                intend((transaction, book), Action.STORE, row, who.id, row.created_unix_us, **facts)
        return self._named(before or row, wanted)

    def _named(self, row: AssetRow, wanted: NewAsset) -> Upload:
        """Seal what it is called under its own key, which is made now that its intent is on the
        books; one that was cut before that is named when it goes on."""
        with self._claims.part(row.id):
            with self._changes.store.read() as transaction:
                found = transaction.assets.asset(row.id)
                if found is None or found.state is not AssetState.UPLOADING:
                    raise unknown(row.id)
                upload = _upload(transaction.assets, found)
            if not found.name:
                texts = ((NAME, wanted.name), (TITLE, wanted.title))
                name, title = (self._sealed(row, field, text) for field, text in texts)
                with self._changes.store.write() as transaction:
                    transaction.assets.put_texts(row.id, name, title)
        return upload

    def _sealed(self, row: AssetRow, field: str, text: str) -> bytes:
        return self._vault.seal(TextName(row.tenant, row.id, field), text) if text else b""

    def received(self, who: Key, asset: str) -> Upload:
        """What is there of an upload. Raises NotFound."""
        with self._changes.store.read() as transaction:
            return _upload(transaction.assets, _uploading(transaction.assets, who, asset))

    def put(self, who: Key, asset: str, number: int, data: bytes) -> None:
        """`take` of what is there already."""
        self.take(who, asset, number, Held(data))

    def take(self, who: Key, asset: str, number: int, content: Content) -> None:
        """Take a part, or several whole ones in a row from `number` on; durable when it returns.

        One that is there is replaced: it counts as missing from before its content goes, so that no
        proof is ever beside content of another sealing. Raises BadInput, Busy, NotFound, and what
        the vault does: what was not taken in then is missing.
        """
        with self._changes.store.read() as transaction:
            row = _uploading(transaction.assets, who, asset)
        sizes = _cut(row.bytes, number, len(content))
        self._rulings.demand(who, Action.STORE, row)
        with ExitStack() as claims:
            for each in sizes:  # in order, so that no two wait for each other
                claims.enter_context(self._claims.written(asset, each))
            with self._changes.store.read() as transaction:
                _uploading(transaction.assets, who, asset)
                before = [each for each in sizes if transaction.assets.part(asset, each)]
            if before:
                with self._changes.store.write() as transaction:
                    for each in before:
                        transaction.assets.remove_part(asset, each)
            key = self._vault.digest_key(row.tenant)
            parts = [self._taken(row, key, each, size, content) for each, size in sizes.items()]
            now_s = self._changes.clock.unix_us() // 1_000_000
            with self._changes.store.write() as transaction:
                for part in parts:
                    transaction.assets.put_part(asset, part, now_s)

    def _taken(self, row: AssetRow, key: bytes, number: int, size: int, content: Content) -> Part:
        """A piece is digested and sealed while it is at hand."""
        digest = mac_of(key, size)

        def digested() -> Iterator[memoryview]:
            for piece in content.take(size):
                digest.update(piece)
                yield piece

        proof = self._vault.take(PartName(row.tenant, row.id, number), size, digested())
        return Part(number, digest.hexdigest(), proof)

    def shorten(self, who: Key, asset: str, size: int) -> None:
        """Its content ends earlier than was said. Raises BadInput, and NotFound."""
        with self._claims.whole(asset), self._changes.act(who.id) as (transaction, _):
            row = _uploading(transaction.assets, who, asset)
            for number in transaction.assets.parts(asset):
                if part_bytes(size, number) != part_bytes(row.bytes, number):
                    raise BadInput("bytes", f"part {number} is there, and is longer")
            transaction.assets.put_asset(replace(row, bytes=size))

    def finish(self, who: Key, asset: str) -> Asset:
        """Make it an asset: the next version of its name. One that is made is shown again.

        Raises Conflict where parts are missing, NotFound.
        """
        with self._changes.store.read() as transaction:
            row = owned(transaction.assets, who, asset)
        key = self._vault.digest_key(row.tenant)
        with self._claims.whole(asset), self._changes.act(who.id) as (transaction, book):
            row = owned(transaction.assets, who, asset)
            if row.state is AssetState.UPLOADING:
                decided = self._rulings.demand(who, Action.STORE, row)
                row = self._made(transaction, key, row)
                intents = transaction.assets.intents_of([asset])
                for intent in intents:
                    transaction.assets.remove_intent(intent.id)
                book("asset.add", asset, intent=intents[0].id, **_facts(row), **decided.facts())
        demand_live(row)
        return self._assets.opened(row)

    def give_up(self, who: Key, asset: str) -> None:
        """Remove an upload. Raises NotFound, and what the vault does."""
        with self._claims.whole(asset):
            with self._changes.store.read() as transaction:
                row = _uploading(transaction.assets, who, asset)
                (intent,) = transaction.assets.intents_of([asset])
            self._remove(row, intent, who.id, "given up")

    def settle(self, intent: Intent) -> None:
        """Remove an upload that nobody went on with for `limits.upload_s`."""
        if self._left(intent.asset) is None:
            return
        with self._claims.whole(intent.asset):
            row = self._left(intent.asset)  # somebody may have gone on with it meanwhile
            if row is not None:
                why = f"nobody went on with it for {self._limits.upload_s} s"
                self._remove(row, intent, "factory", why)

    def _left(self, asset: str) -> AssetRow | None:
        """An upload, if nobody went on with it for too long."""
        with self._changes.store.read() as transaction:
            row = transaction.assets.asset(asset)
        if row is None or row.state is not AssetState.UPLOADING:
            return None
        quiet_s = self._changes.clock.unix_us() // 1_000_000 - row.touched_unix_s
        return row if quiet_s > self._limits.upload_s else None

    def _remove(self, row: AssetRow, intent: Intent, who: str, why: str) -> None:
        """Under a claim to the whole. First nothing says any more that anything of it was received;
        then the key, then parts; the row goes last, so that a cut removal is done again."""
        with self._changes.store.write() as transaction:
            if not _is_uploading(transaction.assets, row.id):
                return  # it is being erased with what it was to be made from
            transaction.assets.put_asset(replace(row, resume=""))
            numbers = list(transaction.assets.parts(row.id))
            transaction.assets.remove_parts(row.id)
        self._vault.erase(row.tenant, row.id, numbers)
        with self._changes.act(who) as (transaction, book):
            if _is_uploading(transaction.assets, row.id):
                transaction.assets.remove_asset(row.id)
                undo((transaction, book), intent, row.tenant, why)

    def _made(self, transaction: Transaction, key: bytes, row: AssetRow) -> AssetRow:
        assets = transaction.assets
        parts = assets.parts(row.id)
        missing = [n for n in range(part_count(row.bytes)) if n not in parts]
        if missing:
            raise Conflict("the upload", f"part {missing[0]} is missing, and {len(missing)} in all")
        now_us = self._changes.clock.unix_us()
        begun = replace(row, created_unix_us=now_us)
        made = replace(
            begun,
            state=AssetState.LIVE,
            version=assets.newest_version(row.tenant, row.kind, row.name_mac) + 1,
            digest=mac(key, *(bytes.fromhex(parts[n].digest) for n in sorted(parts))),
            resume="",
            ends_unix_s=ends_of(row.label, begun, assets.some(row.parents)),
        )
        assets.put_asset(made)
        return made

    def _tenants_key(self, tenant: str) -> bytes:
        with self._changes.store.read() as transaction:
            found = transaction.state.tenant(tenant)
        if found is None:
            raise NotFound(f"tenant {tenant!r}")
        return self._vault.digest_key(tenant)

    def _label(self, transaction: Transaction, who: Key, wanted: NewAsset) -> Label:
        """What is asked for, as far as the tenant's label and the parents' let it; raises where one
        of them is closed: asked in the very transaction that adds it, too."""
        tenant = transaction.state.tenant(wanted.tenant)
        if tenant is None:
            raise NotFound(f"tenant {wanted.tenant!r}")
        parents = [_parent(transaction.assets, who, wanted, each) for each in wanted.parents]
        return wanted.terms.of_new(tenant.label, [closed(parent) for parent in parents])


def _begun(wanted: NewAsset, changes: Changes, key: bytes, label: Label) -> AssetRow:
    """As it begins, not called anything yet."""
    now_us = changes.clock.unix_us()
    return AssetRow(
        id=changes.entropy(ID_BYTES).hex(),
        tenant=wanted.tenant,
        kind=wanted.kind,
        name=b"",
        title=b"",
        name_mac=mac(key, b"name", wanted.name.encode()),
        version=0,
        state=AssetState.UPLOADING,
        label=label,
        bytes=wanted.bytes,
        digest="",
        run=wanted.run,
        resume=mac(key, b"resume", wanted.resume.encode()) if wanted.resume else "",
        created_unix_us=now_us,
        touched_unix_s=now_us // 1_000_000,
        parents=wanted.parents,
    )


def _is_uploading(assets: AssetTables, asset: str) -> bool:
    row = assets.asset(asset)
    return row is not None and row.state is AssetState.UPLOADING


def _parent(assets: AssetTables, who: Key, wanted: NewAsset, asset: str) -> AssetRow:
    """One that the new asset is made from. Raises BadInput, Conflict, NotFound."""
    row = seen(assets, replace(who, tenant=wanted.tenant), asset)
    demand_live(row)
    if row.kind is AssetKind.SUITE:
        raise BadInput("parents", f"{asset} is a suite: it judges, and is no parent")
    return row


def _refuse_anothers(transaction: Transaction, who: Key, wanted: NewAsset) -> None:
    """Raises BadInput for what is said to be made by a line's run that did not make it."""
    is_its = who.id == acting(wanted.run, wanted.tenant).id
    if wanted.run and not is_its and transaction.lines.run(wanted.run) is not None:
        raise BadInput("run", f"run {wanted.run} adds what it makes by itself: leave it out")


def _check(wanted: NewAsset) -> None:
    bounds = (
        ("name", wanted.name, MAX_NAME_CHARS),
        ("title", wanted.title, MAX_TITLE_CHARS),
        ("run", wanted.run, MAX_RUN_CHARS),
        ("resume", wanted.resume, MAX_RESUME_CHARS),
    )
    for what, text, most in bounds:
        if len(text) > most or not text.isprintable():
            raise BadInput(what, f"give at most {most} printable characters")
    if not wanted.name.strip():
        raise BadInput("name", "give it a name")
    if not 0 <= wanted.bytes <= MAX_PARTS * PART_BYTES:
        raise BadInput("bytes", f"an asset has at most {MAX_PARTS * PART_BYTES} bytes")
    if wanted.kind is AssetKind.FEEDBACK and wanted.bytes:
        raise BadInput("bytes", "feedback is given by receipt: what it rests under is added empty")
    if len(set(wanted.parents)) != len(wanted.parents) or len(wanted.parents) > MAX_PARENTS:
        raise BadInput("parents", f"name at most {MAX_PARENTS}, each once")


def _cut(size: int, number: int, length: int) -> dict[int, int]:
    """The parts that `length` bytes are, from `number` on, and their sizes. Raises BadInput where
    these are not whole ones."""
    parts: dict[int, int] = {}
    while length or not parts:
        wanted = part_bytes(size, number)
        if not wanted or length < wanted:
            raise BadInput("part", f"part {number} of {size} bytes has {wanted} bytes")
        parts[number] = wanted
        length -= wanted
        number += 1
    return parts


def _uploading(assets: AssetTables, who: Key, asset: str) -> AssetRow:
    row = owned(assets, who, asset)
    if row.state is not AssetState.UPLOADING:
        raise unknown(asset)
    return row


def _goes_on(other: AssetRow, row: AssetRow) -> bool:
    """Whether an upload under way is of the same content, to be the same asset."""
    names = [(one.resume, one.kind, one.name_mac, one.bytes, one.parents) for one in (other, row)]
    return names[0] == names[1] and other.label == row.label


def _upload(assets: AssetTables, row: AssetRow) -> Upload:
    received = tuple(sorted(assets.parts(row.id)))
    return Upload(row.id, row.tenant, row.bytes, part_count(row.bytes), received)


def _facts(row: AssetRow) -> dict[str, object]:
    return {
        "tenant": row.tenant,
        "asset_kind": row.kind.value,
        "version": row.version,
        "bytes": row.bytes,
        "digest": row.digest,
        "parents": list(row.parents),
        "run": row.run,
        "ends_unix_s": row.ends_unix_s,
        **label_facts(row.label),
    }
