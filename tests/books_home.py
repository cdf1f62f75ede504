"""A home whose books are filled without engines or gateways: the real journal, the real booking.

For tests of what is done with a home as a whole, from a handful of records to a million.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from inland.adapters.files.disk import Disk
from inland.adapters.files.journal import Segments
from inland.adapters.files.policies import PolicyFiles
from inland.adapters.files.secrets import SecretFolder
from inland.adapters.home import first_keys
from inland.adapters.home.layout import Home
from inland.adapters.home.making import Contents, make_home
from inland.adapters.home.template import FirstFactory, FirstModel, factory_toml
from inland.bootstrap.books import FACTORY, database
from inland.domain.api_keys import ID_RANDOM_BYTES, SECRET_RANDOM_BYTES, new_api_key
from inland.domain.ids import WriterId, uuid7
from inland.domain.places import Place
from inland.domain.plant import Key, Role
from inland.domain.snapshot import Secrets, Snapshot
from inland.ledger import canonical
from inland.ledger.frames import FrameKind
from inland.ledger.records import Record, new_record
from inland.plant.books.books import Books
from inland.plant.changes import Changes
from inland.plant.declared import Declared, reconcile
from tests import databases

WEIGHTS = b"weights"
_START_US = 1_790_000_000_000_000


class _Clock:
    def __init__(self) -> None:
        self.now_us = _START_US

    def unix_us(self) -> int:
        self.now_us += 1000
        return self.now_us

    def monotonic(self) -> float:
        return self.now_us / 1e6

    def sleep(self, seconds: float) -> None:
        self.now_us += int(seconds * 1e6)


class _Nobody:
    """A feed that no gateway listens to."""

    def publish(self, snapshot: Snapshot, secrets: Secrets) -> None: ...

    def demand_fits(self, snapshot: Snapshot, secrets: Secrets) -> None: ...

    def wait_in_force(self, version: int) -> None: ...


class BooksHome:
    """A home in `root` and the one process at work in it."""

    def __init__(self, root: Path, tenants: tuple[str, ...] = ("acme", "demo"), seed: int = 1):
        self.home = Home(root)
        self.tenants = tenants
        self._dice = Random(seed)
        self._clock = _Clock()
        if not self.home.is_made():
            self._make()
        self._files = Disk(root)
        databases.put(root / "inland.db")
        self.store = database(root)
        self.books = Books(self._files, self.store, self._clock, self.entropy, FACTORY)
        self.books.open()
        secrets = SecretFolder(root / "keys")
        self.changes = Changes(self.store, _Nobody(), secrets, self._clock, self.entropy, FACTORY)
        for tenant in tenants:
            secrets.keep_record_key(tenant, self.entropy(32))
        self._gateway: Segments | None = None

    def entropy(self, count: int) -> bytes:
        return self._dice.randbytes(count)

    def _make(self) -> None:
        model = FirstModel("m", "models/m.gguf", sha256(WEIGHTS).hexdigest(), "none")
        first = FirstFactory("DE", 8780, 1, self.tenants, model, "m", 1)
        made = new_api_key(self.entropy(ID_RANDOM_BYTES + SECRET_RANDOM_BYTES))
        key = Key(made.id, None, Role.OPERATOR, made.secret_sha256, created_unix_s=1)
        contents = Contents(
            factory_toml(first),
            {"use.cedar": "permit (principal, action, resource);"},
            made.text,
            (key,),
            model.file,
            lambda path: path.write_bytes(WEIGHTS) and None,
        )
        make_home(self.home, contents)

    def take_in_first_keys(self) -> tuple[Key, ...]:
        """What a start does with the keys that were given out."""
        keys = first_keys.read(self.home.first_keys)
        declared = Declared(Place("local", "DE", "DE"), keys=keys)
        reconcile(self.changes, declared, PolicyFiles(self.home.policies))
        return keys

    def at(self, unix_us: int) -> None:
        """It is that time now."""
        self._clock.now_us = unix_us

    def serve(self, count: int, **facts: Any) -> list[Record]:
        """A gateway answers `count` requests in one commit: durable, not booked.

        `facts`: what their records say instead of what they would.
        """
        if self._gateway is None:
            self._clock.now_us += 1000
            self.writer = uuid7(self._clock.now_us // 1000, self.entropy(10))
            self._gateway = Segments(self._files, WriterId(self.writer))
        made = [self._record() | facts for _ in range(count)]
        self._gateway.commit([(FrameKind.RECORD, canonical.encode(record)) for record in made])
        return made

    def open_stream(self) -> Record:
        """A stream begins: its opening is durable, its record is not there."""
        assert self._gateway is not None
        opening = self._record()
        self._gateway.commit([(FrameKind.OPENING, canonical.encode(opening))])
        return opening

    def fill(self, records: int, batch: int) -> Iterator[int]:
        """Serve and book `records`, `batch` at a time; how many there are so far."""
        for done in range(0, records, batch):
            self.serve(min(batch, records - done))
            self.books.tick()
            yield min(done + batch, records)

    def _record(self) -> Record:
        now = self._clock.unix_us()
        return new_record(
            "request",
            salt=self.entropy(16),
            unix_us=now,
            id=uuid7(now // 1000, self.entropy(10)),
            tenant=self._dice.choice(self.tenants),
            key="abcdefghijklmnop",
            writer=self.writer,
            route="chat.completions",
            stream=False,
            deployment="smollm2",
            model="smollm2-135m-instruct",
            engine="llama.cpp",
            model_digest="sha256:" + "ab" * 32,
            adapter_digest=None,
            place={"id": "local", "stands": "DE", "operated": "DE", "known": "declared"},
            isolation="landlock, network namespace",
            snapshot=17,
            policy="sha256:" + "cd" * 32,
            decision="allow",
            decided_by=["tenant-may-use-model"],
            label={"jurisdictions": ["DE"], "classification": "internal", "purposes": ["serve"]},
            model_label={"owner": "factory", "jurisdictions": ["WORLD"], "purposes": ["serve"]},
            input=self.entropy(32).hex(),
            output=[self.entropy(32).hex()],
            prompt_tokens=self._dice.randint(1, 500),
            completion_tokens=self._dice.randint(1, 500),
            cached_tokens=0,
            wasted_tokens_estimated=0,
            counted="engine",
            energy_mj=0,
            energy_known="none",
            ttft_us=40_000,
            duration_us=500_000,
            outcome="complete",
            billed=True,
        )

    def kill_gateway(self) -> None:
        """The gateway is gone; what it wrote is there."""
        if self._gateway is not None:
            self._gateway.close()
            self._gateway = None

    def close(self) -> None:
        self.kill_gateway()
        self.store.close()
