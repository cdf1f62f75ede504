"""Training: the trainer in a cell, from data that it alone sees to an adapter of the tenant.

What it learned until a checkpoint is sealed as an asset. Whoever is killed, control or the trainer,
the next one goes on from the last one and ends with the same bytes.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from inland.domain.assets import Action, AssetKind
from inland.domain.errors import Conflict, NotFound
from inland.domain.limits import Limits
from inland.domain.lines import Material, Method, Run
from inland.domain.plant import Model
from inland.lines.keeping import Content, Keeper, Making
from inland.lines.reading import Readers, Use, place
from inland.lines.rehearsing import Rehearsals
from inland.lines.steps.step import Doing, Outcome
from inland.lines.trainer_talk import Talk
from inland.plant.changes import Changes
from inland.plant.holders import Holders
from inland.ports.jobs import JobEnd, JobSpec
from inland.ports.plaintext import Memory, Plaintext, Room
from inland.ports.trainer import Checkpoint, Trained, Trainer, TrainOrder, TrainPlaces

#: Trainers that may be killed one after another without a checkpoint between them.
ATTEMPTS = 3
#: How far a trainer gives way to engines and gateways on the cores it shares with them (nice).
NICE = 10
#: How the memory is called that a trainer is given besides assets.
_BASE, _FROM, _ADAPTER, _GGUF = "base", "checkpoint", "adapter", "gguf"
_CHECKPOINTS = ("checkpoint-0", "checkpoint-1")


@dataclass(frozen=True, slots=True)
class Cores:
    """Where a trainer runs. `shared`: whether engines compute there too."""

    mine: tuple[int, ...]
    shared: bool


@dataclass(frozen=True, slots=True)
class Shop:
    """What training needs of the machine. `weights`: a base's that lie in no vault, in memory, held
    to their digest; raises Damaged, BadInput for what cannot be trained. `cores`: asked when a
    trainer is begun."""

    trainer: Trainer
    weights: Callable[[Model], Plaintext]
    cores: Callable[[], Cores]


@dataclass(slots=True)
class _Training:
    """One step under way. `rehearsal`: the asset; `checkpoint`: where the next trainer goes on."""

    doing: Doing
    method: Method
    base: Model
    rehearsal: str | None
    checkpoint: str | None

    @property
    def run(self) -> Run:
        return self.doing.run

    @property
    def start(self) -> str | None:
        """The adapter that it begins from."""
        found = self.run.materials.start(self.method)
        return None if found is None else found.adapter

    @property
    def making(self) -> Making:
        """What is trained is made of all of it."""
        more = [one for one in (self.start, self.rehearsal) if one is not None]
        parents = dict.fromkeys((*_ids(self.run.materials.train), *more))
        return Making(self.run, tuple(parents), self.base)

    def uses(self) -> list[Use]:
        """What it reads, and for what."""
        materials = self.run.materials
        base = () if self.base.asset is None else (self.base.asset,)
        learned = (*self.making.parents, *base)
        uses = [Use(asset, Action.TRAIN) for asset in dict.fromkeys(learned)]
        return uses + [Use(asset, Action.EVALUATE) for asset in _ids(materials.holdout)]

    def order(self, threads: int) -> TrainOrder:
        """By places in the cell."""
        materials = self.run.materials
        return TrainOrder(
            base=place(self.base.asset or _BASE),
            data=tuple(map(place, _ids(materials.train))),
            holdout=tuple(map(place, _ids(materials.holdout))),
            method=self.method,
            threads=threads,
            start_adapter=None if self.start is None else place(self.start),
            rehearsal=() if self.rehearsal is None else (place(self.rehearsal),),
            checkpoint=None if self.checkpoint is None else place(_FROM),
        )


class Train:
    """The step that makes an adapter."""

    def __init__(
        self,
        changes: Changes,
        readers: Readers,
        holders: Holders,
        memory: Memory,
        keeper: Keeper,
        rehearsals: Rehearsals,
        limits: Limits,
        shop: Shop,
    ) -> None:
        self._changes = changes
        self._readers = readers
        self._holders = holders
        self._memory = memory
        self._keeper = keeper
        self._rehearsals = rehearsals
        self._limits = limits
        self._shop = shop

    def __call__(self, doing: Doing) -> Outcome:
        method, run = doing.line.method, doing.run
        assert method is not None, "a line without a method has no such step"
        base = self._base(run)
        self._keeper.give_up_cut(run)
        self._keeper.thin_out_before(run)
        self._keeper.thin_out(run)
        rehearsal, receipts = self._rehearsals.of(doing, method.rehearsal, base)
        training = _Training(doing, method, base, rehearsal, None)
        refused, outputs = self._trained(training)
        return Outcome(outputs, receipts, refused)

    def _base(self, run: Run) -> Model:
        base = self._changes.snapshot().models.get(run.materials.model)
        if base is None or base.digest != run.materials.base:
            raise Conflict("base", "its model is another by now: begin the run anew")
        return base

    def _trained(self, training: _Training) -> tuple[str, dict[str, Any]]:
        """Why nothing was, or what came out. Trainer after trainer, until one ended by itself."""
        doing, left = training.doing, ATTEMPTS
        while True:
            checkpoints = self._keeper.made(training.run, AssetKind.CHECKPOINT)
            training.checkpoint = checkpoints[-1].id if checkpoints else None
            with ExitStack() as held:
                rooms = self._rooms(held)
                talk = self._talk(training, rooms)
                end = self._attempt(training, held, rooms, talk)
                if talk.trained is not None and end.status == 0:
                    return "", self._outputs(training, talk.trained, rooms[_GGUF])
            left = ATTEMPTS if talk.kept else left - 1
            if talk.refused.startswith(_FROM) and training.checkpoint is not None:
                doing.say(f"begins anew: {talk.refused}")
                self._keeper.drop(training.run)
            elif talk.refused:
                return _named(talk.refused, training.run), {}
            elif not end.killed or not left:
                raise Conflict("training", _why(end, talk))
            else:
                doing.say("the trainer was killed; another one goes on")
            doing.go_on()

    def _rooms(self, held: ExitStack) -> dict[str, Room]:
        rooms = {}
        for name in (*_CHECKPOINTS, _ADAPTER, _GGUF):
            rooms[name] = self._memory.room(self._limits.training_file_bytes)
            held.callback(rooms[name].close)
        return rooms

    def _talk(self, training: _Training, rooms: dict[str, Room]) -> Talk:
        def keep(made: Checkpoint) -> None:
            room = rooms[_CHECKPOINTS[made.place]]
            content = _content(room, made.bytes, made.sha256)
            name, title = f"{training.run.line}-{training.run.id}", f"step {made.step}"
            self._keeper.keep(training.making, AssetKind.CHECKPOINT, name, content, title)
            self._keeper.thin_out(training.run)

        event, clock = self._shop.trainer.event, self._changes.clock
        return Talk(training.doing, training.method, event, keep, clock)

    def _attempt(
        self, training: _Training, held: ExitStack, rooms: dict[str, Room], talk: Talk
    ) -> JobEnd:
        program, cores = self._shop.trainer.program(), self._shop.cores()
        if program is None:
            raise NotFound(f"trainer: {self._shop.trainer.remedy()}")
        more: dict[str, Plaintext] = dict(rooms)
        if training.base.asset is None:
            more[_BASE] = self._shop.weights(training.base)
            held.callback(more[_BASE].close)
        if training.checkpoint is not None:
            with self._changes.store.read() as transaction:
                rows = transaction.assets.some([training.checkpoint])
            (more[_FROM],) = self._holders.opened(rows)
            held.callback(more[_FROM].close)
        order = training.order(len(cores.mine))
        places = TrainPlaces(
            (place(_CHECKPOINTS[0]), place(_CHECKPOINTS[1])), place(_ADAPTER), place(_GGUF)
        )
        spec = JobSpec(
            job=training.run.id,
            command=(*program.words, *self._shop.trainer.words(order, places)),
            readable=program.readable,
            output_bytes=0,
            seconds=self._limits.job_s,
            grace_s=0,
            memory_bytes=self._limits.job_memory_bytes,
            cores=cores.mine,
            nice=NICE,
        )
        training.doing.say(_begins(training, cores))
        return self._readers.work(training.run.tenant, training.uses(), spec, more, talk.hear)

    def _outputs(self, training: _Training, made: Trained, room: Room) -> dict[str, Any]:
        """Once the adapter is an asset: an earlier attempt's, where control died behind that."""
        run, said = training.run, f"sha256 {made.gguf_sha256}"
        there = self._keeper.made(run, AssetKind.ADAPTER)
        known = [row.id for row in there if self._keeper.titled(row) == said]
        content = _content(room, made.gguf_bytes, made.gguf_sha256)
        name = f"{run.line}-{run.id}"
        adapter = next(iter(known), None) or self._keeper.keep(
            training.making, AssetKind.ADAPTER, name, content, said
        )
        training.doing.say(f"adapter {name} is asset {adapter}: loss {made.loss:.3f}")
        return {
            "adapter": adapter,
            "digest": made.gguf_sha256,
            "safetensors": made.adapter_sha256,
            "seconds": made.seconds,
            "order": made.order,
            "loss": made.loss,
            "holdout_loss": made.holdout_loss,
            "tokens": made.tokens,
            "steps": made.steps,
            "stopped_early": made.steps < made.planned,
            "parameters": made.parameters,
        }


def _content(room: Room, size: int, sha256: str) -> Content:
    """What a trainer says that it wrote. Raises Conflict for more than there is room for."""
    if not 0 < size <= room.bytes:
        raise Conflict("training", f"its trainer says that it wrote {size} bytes")
    return Content(size, sha256, room.read)


def _ids(materials: tuple[Material, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.asset for one in materials))


def _begins(training: _Training, cores: Cores) -> str:
    where = f"{len(cores.mine)} cores" if len(cores.mine) > 1 else "one core"
    beside = (
        "which engines compute on too: they go before it" if cores.shared else "apart from engines"
    )
    told = "begins" if training.checkpoint is None else f"goes on from {training.checkpoint}"
    return f"{told} on {where}, {beside}"


def _named(refused: str, run: Run) -> str:
    """As people know its files."""
    for one in (*run.materials.train, *run.materials.holdout):
        refused = refused.replace(one.asset, one.name)
    return refused


def _why(end: JobEnd, talk: Talk) -> str:
    why = end.why or f"its trainer ended with {end.status}"
    return f"{why} ({talk.fault})" if talk.fault else why
