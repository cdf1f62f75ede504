"""The part of the check that walks tombstones: each is of an act on the books, all of it."""

from hashlib import sha256
from typing import Any

from inland.ledger import canonical
from inland.ledger.canonical import Malformed
from inland.ledger.tombstones import Tombstone
from inland.plant.books.findings import Report
from inland.ports.books import (
    BookTables,
    DestroyedVolume,
    Destruction,
    TenantBatch,
    UsageRow,
)


class Stones:
    """Tombstones in the order they lie in, by act and writer. `usage`: what those records had come
    to, once `check` has looked."""

    def __init__(self, books: BookTables) -> None:
        self._books = books
        self._acts = {one.id: one for one in books.destructions()}
        self._entries: dict[tuple[str, str, str], Any] = {}
        self._counts: dict[tuple[str, str, str], int] = {}
        self.usage: list[UsageRow] = []

    def add(self, batch: TenantBatch, stone: Tombstone) -> None:
        """Take the next one."""
        key = (stone.intent, batch.tenant, batch.writer)
        self._counts[key] = self._counts.get(key, 0) + 1
        self._entries.setdefault(key, sha256()).update(stone.entry)

    def check(self, report: Report) -> None:
        """Against the acts; a file is written anew at once, so it has all of an act or nothing."""
        for (intent, tenant, writer), count in self._counts.items():
            act = self._acts.get(intent)
            known = None if act is None or act.tenant != tenant else act.volumes.get(writer)
            found = (count, self._entries[intent, tenant, writer].hexdigest())
            where = f"records/{tenant}/{writer}.jsonl"
            if known is None or (known.records, known.entries_sha256) != found:
                report.find(where, f"{count} records are missing, and nothing says why")
            else:
                self.usage += self._books.kept_usage(intent, writer)
        for act in self._acts.values():
            self._check_act(report, act)

    def _check_act(self, report: Report, act: Destruction) -> None:
        where = f"record {act.id}"
        for record in (act.id, act.record):
            if record is not None and not self._says(record, act):
                report.find(where, "what it says of destroyed records is not what was destroyed")
        if act.record is not None:
            for writer in act.volumes:
                there = (act.id, act.tenant, writer) in self._counts
                report.demand(there, where, f"records of writer {writer} are there still or again")

    def _says(self, record: str, act: Destruction) -> bool:
        found = self._books.log_record(record)
        try:
            details = {} if found is None else canonical.decode(found.record)["details"]
        except (Malformed, KeyError):
            return False
        return all(details.get(name) == value for name, value in said_of(act).items())


def said_of(act: Destruction) -> dict[str, Any]:
    """What records say of it. `entries_sha256`: over the hashes of all writers', in the order of
    their ids."""
    volumes: list[DestroyedVolume] = [volume for _, volume in sorted(act.volumes.items())]
    hashes = bytes.fromhex("".join(volume.entries_sha256 for volume in volumes))
    return {
        "tenant": act.tenant,
        "before_unix_s": act.before_unix_s,
        "records": sum(volume.records for volume in volumes),
        "entries_sha256": sha256(hashes).hexdigest(),
    }
