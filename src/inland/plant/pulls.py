"""Pulls: models being brought in from outside, each on a thread of its own, and how far they are.

The intent is a record before anything is fetched; the model is one once it is whole and signed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock

from inland.domain.errors import BadInput, Conflict, InlandError, NotFound
from inland.domain.ids import is_name
from inland.domain.labels import EVERYONE, public_label
from inland.domain.plant import Model
from inland.plant.changes import Changes
from inland.plant.models import put_model
from inland.ports.intake import Arrived, Intake, Order, Provenance
from inland.ports.state import StateTables

#: Pulls under way at once, and those over that are remembered.
PULLS, REMEMBERED = 4, 256
#: Of why a pull failed: a stranger's words may be in it, and it is booked.
WHY_CHARS = 1000
_HEX = frozenset("0123456789abcdef")
_OWN_FAULT = "a fault of control's own; see its log"
_SCHEMES = ("pypi:", "hf:", "file:", "s3:")


class PullStage(StrEnum):
    """How far a pull is."""

    PULLING = "pulling"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Pull:
    """One pull, under way or over. `why`: it failed."""

    name: str
    source: str
    stage: PullStage = PullStage.PULLING
    done_bytes: int = 0
    total_bytes: int = 0
    why: str = ""


class Pulls:
    """Brings models into one factory."""

    def __init__(
        self,
        changes: Changes,
        intake: Intake,
        begin: Callable[[Callable[[], None]], None],
        most_models: int,
    ) -> None:
        """`begin` runs what may take hours on a thread that ends with the process."""
        self._changes = changes
        self._intake = intake
        self._begin = begin
        self._most = most_models
        self._lock = Lock()
        self._last: dict[str, Pull] = {}

    def provenance(self, model: Model) -> Provenance:
        """What is kept of a model whose weights are here."""
        return self._intake.provenance(model)

    def last(self, name: str) -> Pull:
        """The pull under way or the last of that name since control began. Raises NotFound."""
        with self._lock:
            found = self._last.get(name)
        if found is None:
            raise NotFound(f"pull of a model {name!r}")
        return found

    def pull(self, who: str, order: Order) -> Pull:
        """Begin to; `last` tells how it goes. Raises BadInput and Conflict."""
        _demand_good(order)
        with self._changes.store.read() as transaction:
            known = self._without_weights(transaction.state, order.name)
            if known is None:
                self._demand_free(transaction.state, order.name)
        if known is not None and known.digest is not None:
            order = replace(order, sha256=_same(order, known.digest.removeprefix("sha256:")))
        begun = Pull(order.name, order.source)
        with self._lock:
            under_way = [one for one in self._last.values() if one.stage is PullStage.PULLING]
            if len(under_way) >= PULLS or any(one.name == order.name for one in under_way):
                names = ", ".join(one.name for one in under_way)
                raise Conflict(f"pulling {order.name!r}", f"under way: {names}; try again later")
            over = [one for one in self._last.values() if one.stage is not PullStage.PULLING]
            for one in over[: max(0, len(self._last) - REMEMBERED)]:
                del self._last[one.name]
            self._last[order.name] = begun
        try:
            self._changes.note(who, "model.pull", order.name, source=order.source)
            self._begin(lambda: self._run(who, order))
        except BaseException:
            self._show(replace(begun, stage=PullStage.FAILED, why="it could not begin"))
            raise
        return begun

    def _run(self, who: str, order: Order) -> None:
        def progress(done: int, total: int) -> None:
            self._show(replace(self.last(order.name), done_bytes=done, total_bytes=total))

        stage, why = PullStage.FAILED, _OWN_FAULT
        try:
            self._keep(who, order, self._intake.take(order, progress))
            stage, why = PullStage.DONE, ""
        except Exception as error:
            is_told = isinstance(error, (InlandError, OSError))
            why = str(error)[:WHY_CHARS] if is_told else _OWN_FAULT
            self._changes.note(who, "model.refuse", order.name, source=order.source, why=why)
            if not is_told:
                raise
        finally:
            self._show(replace(self.last(order.name), stage=stage, why=why))

    def _show(self, pull: Pull) -> None:
        with self._lock:
            self._last[pull.name] = pull

    def _keep(self, who: str, order: Order, arrived: Arrived) -> None:
        model = Model(
            id=order.name,
            label=public_label(),
            shared_with=(EVERYONE,),
            digest=f"sha256:{arrived.sha256}",
            file=arrived.file,
            licence=arrived.licence or None,
        )
        with self._changes.change(who) as change:
            known = change.state.models().get(order.name)
            if known is not None and known.digest == model.digest:
                change.book("model.again", order.name, source=order.source)
                return
            self._demand_free(change.state, order.name)
            put_model(change, model, source=order.source, hosts=list(arrived.hosts))

    def _without_weights(self, state: StateTables, name: str) -> Model | None:
        """A model that was pulled once and whose weights are gone, as a backup leaves them out."""
        model = state.models().get(name)
        if model is None or model.file is None or model.declared or self._intake.is_here(model):
            return None
        return model

    def _demand_free(self, state: StateTables, name: str) -> None:
        models = state.models()
        if name in models:
            raise Conflict(f"model {name!r}", "is there already; choose another name")
        for other in models.values():  # whatever it is called: its weights would be replaced
            if other.file is not None and other.file.rpartition(".")[0] == f"models/{name}":
                raise Conflict(f"{other.file!r}", f"is model {other.id!r}'s; choose another name")
        if len(models) >= self._most:
            raise Conflict("limits.models", f"is {self._most}, and so many are there")


def _same(order: Order, sha256: str) -> str:
    """What a model that is known must hash to. Raises BadInput where something else is asked."""
    if order.sha256 not in {None, sha256}:
        raise BadInput("sha256", f"model {order.name} is known by {sha256}, and no other comes in")
    return sha256


def _demand_good(order: Order) -> None:
    if not is_name(order.name):
        raise BadInput("name", f"{order.name!r}: use a-z, 0-9, '.', '_' and '-', at most 63")
    if not order.source.startswith(_SCHEMES):
        raise BadInput("source", f"begins with one of {', '.join(_SCHEMES)}")
    if order.sha256 is not None and (len(order.sha256) != 64 or set(order.sha256) - _HEX):
        raise BadInput("sha256", "is 64 lower-case hex digits")
