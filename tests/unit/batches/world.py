"""A room of batches over a plant: what reads input runs in this process, answers are made up."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Lock
from typing import Any

from inland.batches.batches import NewBatch
from inland.batches.room import BatchRoom, batch_room
from inland.domain.batches import BATCH_LIFE, Batch
from inland.domain.snapshot import Snapshot
from inland.gateway.errors import Refused
from inland.gateway.keys import prove
from inland.plant.files import NewFile, file_id
from inland.ports.tokens import Passed
from tests.patience import PATIENCE_S, until
from tests.unit.lines.world import LineWorld
from tests.unit.plant.parts import begun

CHAT = "/v1/chat/completions"
CANARY = "a canary that is answered"


def line(number: int, **more: Any) -> dict[str, Any]:
    """A request of a batch."""
    body = {"model": "smollm2", "messages": [{"role": "user", "content": f"Question {number}"}]}
    asked = {"custom_id": f"request-{number}", "method": "POST", "url": CHAT, "body": body}
    return {**asked, **more}


def file_of(lines: list[dict[str, Any]]) -> bytes:
    """As JSON Lines."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in lines)


@dataclass
class ToyPassing:
    """Answers what is asked. `statuses`: by question, what comes before a 200; `held`: questions
    that are not answered before `gate` is set, and `waiting` those of them that were asked;
    `meanwhile`: by question, what happens once before a gateway with `snapshot` looks at the key.
    """

    statuses: dict[str, list[int]] = field(default_factory=dict)
    code: str = "queue_full"
    asked: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    waiting: list[str] = field(default_factory=list)
    gate: Event = field(default_factory=Event)
    meanwhile: dict[str, Callable[[], object]] = field(default_factory=dict)
    snapshot: Callable[[], Snapshot] | None = None
    lock: Lock = field(default_factory=Lock)

    def pass_on(self, key: str, path: str, body: bytes) -> Passed:
        assert path == CHAT
        question = json.loads(body)["messages"][0]["content"]
        if question in self.held:
            self.waiting.append(question)
            assert self.gate.wait(PATIENCE_S)
        self.meanwhile.pop(question, lambda: None)()
        if self.snapshot is not None:
            try:
                prove(self.snapshot(), f"Bearer {key}".encode())
            except Refused as refused:
                return Passed(refused.status, refused.body(), "", 1)
        with self.lock:
            self.asked.append(question)
            self.keys.add(key)
            before = self.statuses.get(question, [])
            status = before.pop(0) if before else 200
        if status == 200:
            told: dict[str, Any] = {"choices": [{"message": {"content": f"{CANARY}: {question}"}}]}
            return Passed(200, json.dumps(told, indent=1).encode(), f"receipt-{question}", 0)
        error = {"message": "no", "type": "made_up", "param": None, "code": self.code}
        return Passed(status, json.dumps({"error": error}).encode(), "", 1)


class BatchWorld(LineWorld):
    """`member`, `admin` of acme, `other` of demo, and the batches of their plant."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.passing = ToyPassing()
        self.lives: list[BatchRoom] = []
        self.batches = self.made_batches()

    def made_batches(self, **limits: int) -> BatchRoom:
        """As a control that begins makes it."""
        plant = self.plant
        kept = replace(plant.limits, **limits)
        readers = self.room.readers
        made = batch_room(plant.changes, plant.room, readers, self.passing, kept, begun)
        self.lives.append(made)
        return made

    def add_file(self, data: bytes, purpose: str = "batch") -> str:
        """A file of acme's; its id."""
        pieces = [data[at : at + 50] for at in range(0, len(data), 50)]
        new = NewFile("acme", "requests.jsonl", len(data) + 1000, pieces, lambda: purpose)
        return file_id(self.plant.room.files.take(self.member, new).id)

    def start(self, file: str) -> Batch:  # type: ignore[override]
        new = NewBatch("acme", file, CHAT, "24h", {"why": "a test"})
        return self.batches.batches.begin(self.member, new)

    def over(self, batch: Batch) -> Batch:
        """Once it is over, and nothing is done for it any more."""
        return self.when(batch, lambda one: not BATCH_LIFE[one.state])

    def when(self, batch: Batch, true: Callable[[Batch], bool]) -> Batch:
        found = batch

        def holds() -> bool:
            nonlocal found
            self.batches.worker.step()
            found = self.batches.batches.show("acme", batch.id)
            stands = BATCH_LIFE[found.state] or not self.batches.worker._works
            return true(found) and bool(stands)

        until(holds, lambda: str(found))
        return found

    def held(self, batch: Batch, answered: int) -> Batch:
        """Once so many are answered, and the next was asked and is held."""
        return self.when(batch, lambda one: one.answered == answered and bool(self.passing.waiting))

    def end(self) -> None:
        """Every life of control: nothing is done by any of them any more."""
        self.passing.gate.set()
        for life in self.lives:
            life.worker.stop_all()
            until(lambda life=life: not life.worker._works)  # type: ignore[misc]

    def rests(self, batch: Batch) -> Batch:
        """As it is once it rests."""
        self.when(batch, lambda _: bool(self.batches.worker._rests))
        return self.batches.batches.show("acme", batch.id)

    def lines_of(self, asset: str) -> list[dict[str, Any]]:
        return [json.loads(one) for one in self.read(asset, self.member).splitlines()]
