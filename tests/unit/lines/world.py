"""A room of lines over a plant: what reads data runs in this process, answers are made up."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock

from inland.adapters.memory.memory_file import MemoryFile
from inland.adapters.training import events
from inland.adapters.weights.envelope import ModelsKey
from inland.adapters.weights.shelf import Shelf
from inland.bootstrap.evaluation import said
from inland.decide.lines.rollout import Seen
from inland.domain.assets import ASSET, AssetKind
from inland.domain.errors import Busy, Damaged
from inland.domain.lines import Run, RunState
from inland.domain.plant import Model
from inland.lines.reading import Program
from inland.lines.room import LineRoom, Outside, line_room
from inland.lines.steps.train import Cores, Shop
from inland.plant.models import model_of_asset
from inland.plant.releases import Releases
from inland.ports.jobs import Hear, JobEnd, JobSpec
from inland.ports.plaintext import Plaintext
from inland.ports.tokens import Answered, Asked
from inland.ports.trainer import TrainEvent
from tests.patience import PATIENCE_S, until
from tests.training import fake_trainer
from tests.training.fake_trainer import FakeTrainer
from tests.unit.assets.world import World
from tests.unit.plant.parts import ToyCell, begun

SUITE = b'{"input": "Two and two?", "reference": "4"}\n{"input": "Ping?", "reference": "pong"}\n'
LINE = """
name = "nightly"
base = "smollm2"

[[suite]]
name = "sums"
asset = "sums"

[[gate.score]]
suite = "sums"
least = 0.1
"""


#: The weights of what everything is trained upon.
BASE = b"GGUF of a model that knows nothing"


class TrainingCell(ToyCell):
    """The fake trainer, whose lines are heard as it says them. `dies`: after so many events it is
    killed, or control is, where that is negative; `waits`: after so many it says nothing more until
    it is ended."""

    def __init__(
        self, spec: JobSpec, files: Mapping[str, Plaintext], dies: int, waits: int
    ) -> None:
        super().__init__({})
        self.spec, self.dies, self.waits = spec, dies, waits
        self._inherited = {f"{ASSET}{name}": os.dup(file.fd) for name, file in files.items()}
        paths = {word: f"/proc/self/fd/{fd}" for word, fd in self._inherited.items()}
        after = spec.command.index(fake_trainer.__file__) + 1
        self.words = [paths.get(word, word) for word in spec.command[after:]]

    def wait(self, hear: Hear | None = None) -> JobEnd:
        assert hear is not None
        said = 0

        def say(event: TrainEvent) -> None:
            nonlocal said
            said += 1
            hear(b"a word of a library")
            hear(events.line(event).encode())
            if said == self.waits:
                assert self.over.wait(PATIENCE_S)
            if said == -self.dies:
                raise SystemExit
            if said == self.dies or self.ends:
                raise _Killed

        try:
            fake_trainer.follow(self.words, say)
        except _Killed:
            return JobEnd(-9, "", bytearray(), 0, killed=True)
        finally:
            for each in self._inherited.values():
                os.close(each)
        return JobEnd(0, "", bytearray(), 0)


class KilledCell(ToyCell):
    """What somebody kills, who does `before` first."""

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        super().__init__({})
        self._before = before

    def wait(self, hear: Hear | None = None) -> JobEnd:
        self._before()
        return JobEnd(-9, "", bytearray(b"half of it"), 10, killed=True)


class _Killed(Exception):
    """The end of a process, in the middle of what it does."""


class ReadingCells:
    """What reads assets, in this process. `held`: whether it goes on only once it is ended.
    `killed`: what is begun next instead. `dies`, `waits`: what becomes of the trainers that are
    begun next."""

    isolation = "namespaces"

    def __init__(self) -> None:
        self.begun: list[tuple[str, ToyCell]] = []
        self.trainers: list[TrainingCell] = []
        self.held = False
        self.killed: list[ToyCell] = []
        self.dies: list[int] = []
        self.waits = 0

    def begin(self, spec: JobSpec, files: Mapping[str, Plaintext]) -> ToyCell:
        if fake_trainer.__file__ in spec.command:
            dies = self.dies.pop(0) if self.dies else 0
            self.trainers.append(TrainingCell(spec, files, dies, self.waits))
            return self.trainers[-1]
        paths = {f"{ASSET}{name}": f"/proc/self/fd/{file.fd}" for name, file in files.items()}
        words = [paths.get(word, word) for word in spec.command[1:]]
        is_killed = bool(self.killed)
        cell = self.killed.pop(0) if is_killed else ToyCell({})
        self.begun.append((words[0], cell))
        if not self.held and not is_killed:
            cell.finish(0, said(words).encode() + b"\n")
        return cell


@dataclass
class ToyTokens:
    """Answers by question. `gate`: answers wait for it."""

    answers: dict[str, str] = field(default_factory=lambda: {"Two and two?": "4", "Ping?": "pong"})
    asked: list[tuple[str, Asked]] = field(default_factory=list)
    busy: int = 0
    took: int = 1
    gate: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def ask(self, key: str, asked: Asked) -> Answered:
        assert self.gate.wait(PATIENCE_S)
        with self.lock:  # several ask at once, and each answer has a receipt of its own
            if self.busy:
                self.busy -= 1
                raise Busy("no room", 1)
            self.asked.append((key, asked))
            receipt = f"receipt-{len(self.asked)}"
        return Answered(self.answers[asked.messages[-1][1]], receipt, self.took)


def shop(trainer: FakeTrainer, base: bytes = BASE) -> Shop:
    """A machine of two cores, which engines compute on too; every base is `base`."""
    return Shop(trainer, lambda _: MemoryFile([base]), lambda: Cores((0, 1), shared=True))


class LineWorld(World):
    """`member`, `admin` of acme, and the lines of their plant."""

    def __init__(self, home: Path, tokens: ToyTokens | None = None) -> None:
        super().__init__(home)
        self.cells, self.tokens = ReadingCells(), tokens or ToyTokens()
        self.tokens.gate.set()
        self.trainer = FakeTrainer()
        self.trainer_shop = shop(self.trainer)
        self.broken = ""
        self.seen = (Seen(), Seen())
        self.room = self.made_room()

    def made_room(self) -> LineRoom:
        """As a control that begins makes it."""

        def verify(model) -> None:
            if self.broken:
                raise Damaged(f"model {model.id}", self.broken)

        workers = self.plant.workers
        workers = type(workers)(workers.runner, workers.memory, self.cells, workers.aside)
        plant = self.plant
        signer = ModelsKey(Shelf(plant.home))
        world = Outside(self.tokens, Program(("reader",), ()), verify, self.trainer_shop, signer)
        self.releases = Releases(
            plant.changes, plant.room.rulings, self._vetted, signer, lambda _: self.seen
        )
        return line_room(
            plant.changes, plant.room, workers, plant.limits, self.releases, world, begun
        )

    def _vetted(self, asset: str, _: AssetKind) -> Model:
        with self.plant.store.read() as transaction:
            row = transaction.assets.asset(asset)
            assert row is not None
            return model_of_asset(row, transaction.state.tenant(row.tenant), None)

    def add_suite(self, data: bytes = SUITE, name: str = "sums", **more) -> str:
        return self.add(data, name=name, kind=AssetKind.SUITE, **more)

    def declare(self, text: str = LINE) -> None:
        self.room.lines.add(self.admin, "acme", text)

    def start(self, line: str = "nightly") -> Run:
        return self.room.runs.begin("acme", line, self.member.id, self.member)

    def ended(self, run: Run) -> Run:
        """Once it is over."""
        return self.until(run, lambda one: one.state is not RunState.RUNNING)

    def until(self, run: Run, true) -> Run:
        found = run

        def holds() -> bool:
            nonlocal found
            self.room.worker.step()
            found, _ = self.room.runs.show(None, run.id)
            stands = found.state is RunState.RUNNING or not self.room.worker._works
            return bool(true(found)) and stands

        until(holds, lambda: str(found))
        return found

    def quiet(self) -> None:
        """Once nothing is carried on any more."""
        until(lambda: not self.room.worker._works)

    def steps(self, run: Run):
        return self.room.runs.show(None, run.id)[1]
