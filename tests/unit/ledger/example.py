"""A small site, the same on every run: two tenants, one writer, two batches, a log and its key."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from inland.ledger import canonical, commitments, merkle, notes, receipts
from inland.ledger.records import BATCH, CHANGE, REFUSAL, REQUEST, TENANT_BATCH, Record, new_record

ORIGIN = "example.inland/7f3a9c"
WRITER = "0b9d6c5e"
START_US = 1_760_000_000_000_000
TENANT_KEY = sha256(b"the tenant's record key").digest()
BODY = b'{"model":"smollm2","messages":[{"role":"user","content":"Hvor er b\xc3\xa5ten?"}],"n":2}'
TEXTS = ("I havna, ved kai 3.", "Den ligger til kai \u2014 kai 3 \U0001f6a4")
LOG_SIZE = 11

_KEY = Ed25519PrivateKey.from_private_bytes(sha256(b"the example log's key").digest())
_PUBLIC = _KEY.public_key().public_bytes_raw()
VKEY = notes.vkey(ORIGIN, _PUBLIC)


@dataclass(frozen=True)
class Site:
    """Every record of the site, in the trees they stand in."""

    tenant_records: dict[str, list[Record]]
    tenant_batches: list[Record]
    log: list[Record]
    batch_index: int

    def receipt(self, tenant: str, index: int, since: int | None = None) -> bytes:
        """The receipt of a tenant's record, with a proof from the log's size `since`."""
        links = self.links(tenant, index)
        old = None if since is None else self.consistency(since)
        return receipts.build(links, checkpoint(self.log), old)

    def links(self, tenant: str, index: int) -> list[receipts.Link]:
        """The chain from a tenant's record to the log."""
        records = self.tenant_records[tenant]
        place = next(n for n, b in enumerate(self.tenant_batches) if b["tenant"] == tenant)
        return [
            link(records, index),
            link(self.tenant_batches, place),
            link(self.log, self.batch_index),
        ]

    def consistency(self, since: int) -> receipts.Consistency:
        """The proof that the log's first `since` entries are still its beginning."""
        all_entries = entries(self.log)
        hashes = merkle.consistency(all_entries, since, len(all_entries))
        return receipts.Consistency(since, merkle.root(all_entries[:since]), hashes)


def entries(records: list[Record]) -> list[bytes]:
    return [canonical.entry(canonical.encode(record)) for record in records]


def link(records: list[Record], index: int) -> receipts.Link:
    hashes = merkle.inclusion(entries(records), index)
    return receipts.Link(records[index], index, len(records), hashes)


def checkpoint(log: list[Record]) -> str:
    body = notes.checkpoint_body(ORIGIN, len(log), merkle.root(entries(log)))
    return notes.sign(body, ORIGIN, _KEY.sign, _PUBLIC)


def signed(text: str, name: str = ORIGIN) -> str:
    """Any text as a note by the example's key."""
    return notes.sign(text.encode(), name, _KEY.sign, _PUBLIC)


_SIXTY_FOUR = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def loosened(encoded: str) -> str:
    """The same bytes in other base64 (ending in one `=`): two bits set that belong to no byte."""
    return encoded[:-2] + _SIXTY_FOUR[_SIXTY_FOUR.index(encoded[-2]) | 3] + "="


def record_key() -> bytes:
    """The key of demo's record 1, the one whose receipt is published."""
    return commitments.record_key(TENANT_KEY, record_id("demo", 1))


def record_id(tenant: str, number: int) -> str:
    tail = sha256(f"{tenant} {number}".encode()).hexdigest()
    return f"0199c70e-6400-7{tail[:3]}-8{tail[3:6]}-{tail[6:18]}"


def make(kind: str, name: str, seconds: int, /, **fields: object) -> Record:
    salt = sha256(f"{kind} {name}".encode()).digest()[:16]
    return new_record(kind, salt=salt, unix_us=START_US + seconds * 1_000_000, **fields)


def request(tenant: str, number: int) -> Record:
    """A request's record with every field of its kind."""
    key = commitments.record_key(TENANT_KEY, record_id(tenant, number))
    return make(
        REQUEST,
        f"{tenant} {number}",
        60 + number,
        id=record_id(tenant, number),
        tenant=tenant,
        key="k7c1",
        deployment="smollm2",
        engine="llama.cpp",
        model="smollm2-135m-instruct",
        model_digest="sha256:" + sha256(b"weights").hexdigest(),
        adapter_digest=None,
        place={"id": "here", "stands": "NO", "operated": "NO", "known": "declared"},
        isolation="none",
        snapshot=12,
        policy="sha256:" + sha256(b"policy").hexdigest(),
        decision="allow",
        decided_by=["model-is-shared", "place-is-inside"],
        label={"jurisdictions": ["NO"], "classification": "internal", "purposes": ["serve"]},
        model_label={"owner": "factory", "jurisdictions": ["WORLD"], "purposes": ["serve"]},
        writer=WRITER,
        route="chat.completions",
        stream=False,
        input=commitments.commit_input(key, BODY),
        output=[commitments.commit_output(key, at, text) for at, text in enumerate(TEXTS)],
        prompt_tokens=31,
        completion_tokens=22,
        cached_tokens=0,
        wasted_tokens_estimated=0,
        counted="engine",
        energy_mj=0,
        energy_known="none",
        ttft_us=41_200,
        duration_us=212_900,
        outcome="complete",
        billed=True,
    )


def refusal(tenant: str) -> Record:
    return make(
        REFUSAL,
        tenant,
        62,
        id=record_id(tenant, 99),
        tenant=tenant,
        key="k7c1",
        deployment="smollm2-abroad",
        route="chat.completions",
        status=403,
        code="outside_border",
        rules=[],
        count=3,
        snapshot=12,
        policy="sha256:" + sha256(b"policy").hexdigest(),
        writer=WRITER,
    )


def change(number: int) -> Record:
    fields = {"id": f"c{number}", "what": "tenant.add", "who": "operator", "subject": f"t{number}"}
    return make(CHANGE, str(number), number, **fields, details={"jurisdictions": ["NO"]})


def tree_of(records: list[Record]) -> dict[str, object]:
    return {"count": len(records), "root": merkle.root(entries(records)).hex()}


@cache
def site() -> Site:
    """The site whose receipts the tests and `docs/examples` show."""
    tenants = {
        "acme": [request("acme", 0), refusal("acme")],
        "demo": [request("demo", number) for number in range(5)],
    }
    batches = [
        make(
            TENANT_BATCH,
            tenant,
            70,
            writer=WRITER,
            tenant=tenant,
            number=0,
            first=0,
            **tree_of(records),
        )
        for tenant, records in tenants.items()
    ]
    batch = make(BATCH, "0", 70, writer=WRITER, number=0, **tree_of(batches))
    log = [change(number) for number in range(LOG_SIZE)]
    log[6] = batch
    return Site(tenants, batches, log, 6)


def published() -> dict[str, bytes]:
    """The files of `docs/examples`: a receipt and all that can be compared with it."""
    files = {
        "receipt.json": site().receipt("demo", 1, since=5),
        "log.vkey": VKEY.encode() + b"\n",
        "kept-checkpoint": checkpoint(site().log[:5]).encode(),
        "record-key": record_key().hex().encode() + b"\n",
        "input.json": BODY,
    }
    return files | {f"output-{at}.txt": text.encode() for at, text in enumerate(TEXTS)}
