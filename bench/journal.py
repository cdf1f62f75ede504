"""What the books cost: appends a second through the journal, then microseconds to book each record.

Prints one JSON line. Appending is measured beside a bare write and fdatasync of the same bytes.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path

from inland.adapters.files.clock import SystemClock, SystemEntropy
from inland.adapters.files.disk import Disk
from inland.adapters.files.journal import JournalWriter
from inland.adapters.sql.database import Database, sqlite_url
from inland.domain.ids import WriterId, uuid7
from inland.ledger import canonical
from inland.ledger.frames import FrameKind
from inland.ledger.records import new_record
from inland.plant.books.books import Books

TENANTS = 8
#: Requests in flight: each append is followed by the next when it is durable.
CALLERS = 64


def records(count: int) -> list[bytes]:
    """Records as a gateway writes them."""
    clock, entropy = SystemClock(), SystemEntropy()
    return [
        canonical.encode(
            new_record(
                "request",
                salt=entropy(16),
                unix_us=clock.unix_us(),
                id=uuid7(clock.unix_us() // 1000, entropy(10)),
                tenant=f"tenant-{number % TENANTS}",
                key=f"key{number % 32}",
                deployment="smollm2",
                engine="llama.cpp",
                model="smollm2-135m-instruct",
                model_digest="sha256:" + "ab" * 32,
                adapter_digest=None,
                place={"id": "site", "stands": "DE", "operated": "DE", "known": "declared"},
                isolation="none",
                snapshot=12,
                policy="sha256:" + "cd" * 32,
                decision="allow",
                decided_by=["serve-own", "border"],
                label={"jurisdictions": ["DE"], "classification": "internal"},
                writer="bench",
                route="chat.completions",
                stream=False,
                input="12" * 32,
                output=["34" * 32],
                prompt_tokens=31,
                completion_tokens=64,
                cached_tokens=0,
                wasted_tokens_estimated=0,
                ttft_us=41000,
                duration_us=230000,
                outcome="complete",
                billed=True,
            )
        )
        for number in range(count)
    ]


async def append(home: Path, payloads: list[bytes]) -> dict[str, float]:
    """All `payloads` through a journal, `CALLERS` at a time."""
    loop = asyncio.get_running_loop()
    journal = JournalWriter(Disk(home), WriterId("bench"), loop, print)
    finished = loop.create_future()
    waiting = iter(payloads)
    left = len(payloads)

    def done() -> None:
        nonlocal left
        left -= 1
        if not left:
            finished.set_result(None)
        elif (payload := next(waiting, None)) is not None:
            journal.append(FrameKind.RECORD, payload, done)

    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(min(CALLERS, len(payloads))):
        journal.append(FrameKind.RECORD, next(waiting), done)
    await finished
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
    journal.stop()
    return {
        "appends_per_s": round(len(payloads) / took),
        "append_cpu_us": round(cpu / len(payloads) * 1e6, 2),
    }


def bare(home: Path, payload: bytes) -> float:
    """Median milliseconds of one write and fdatasync of a commit's worth of bytes."""
    times = []
    fd = os.open(home / "bare", os.O_RDWR | os.O_CREAT)
    for _ in range(300):
        start = time.perf_counter()
        os.write(fd, payload)
        os.fdatasync(fd)
        times.append(time.perf_counter() - start)
    os.close(fd)
    return round(sorted(times)[len(times) // 2] * 1e3, 3)


def book(home: Path, count: int) -> dict[str, float]:
    """Book what the journal holds; processor time includes SQLite's and the hashing."""
    database = Database(sqlite_url(home / "inland.db"))
    books = Books(Disk(home), database, SystemClock(), SystemEntropy(), "bench")
    books.open()
    start, cpu = time.perf_counter(), time.process_time()
    while sum(row.requests for row in books.usage(None)) < count:
        books.tick()
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
    assert not books.alarms
    database.close()
    return {
        "booked_per_s": round(count / took),
        "book_cpu_us": round(cpu / count * 1e6, 2),
    }


def main() -> None:
    """Print the line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=60_000)
    count = parser.parse_args().records
    payloads = records(count)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "journal").mkdir()
        figures = {
            "bench": "journal",
            "records": count,
            "record_bytes": len(payloads[0]),
            **asyncio.run(append(home, payloads)),
            **book(home, count),
            "bare_fdatasync_ms": bare(home, payloads[0] * (CALLERS // 2)),
        }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
