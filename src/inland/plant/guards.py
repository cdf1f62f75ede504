"""Guards: set, listed, removed; in force everywhere when that returns."""

from dataclasses import replace
from typing import Any

from inland.decide.guard.rules import check
from inland.domain.errors import BadInput, Conflict, NotFound
from inland.domain.guards import CATEGORY_CHARACTERS, Act, Guard, Question
from inland.domain.ids import is_name
from inland.plant.changes import FACTORY_FILE, Change, Changes
from inland.plant.tenants import refuse_beyond
from inland.ports.state import StateTables

#: Recognisers and patterns of one guard together, at most.
MOST_LOOKED_FOR = 32


class Guards:
    """The guards of one factory."""

    def __init__(self, changes: Changes, most: int) -> None:
        """`most`: how many there may be."""
        self._changes = changes
        self._most = most

    def all(self) -> list[Guard]:
        """Every guard, by name."""
        with self._changes.store.read() as transaction:
            return list(transaction.state.guards().values())

    def waiting(self) -> dict[str, str]:
        """By name, what a guard names and is not there: it looks at nothing, or has no answer from
        its classifier. Once that is there, it does: there is no moment between."""
        with self._changes.store.read() as transaction:
            state = transaction.state
            return {
                name: f"it waits for {' and '.join(missing)}"
                for name, guard in state.guards().items()
                if (missing := _missing(state, guard))
            }

    def set(self, who: str, guard: Guard) -> Guard:
        """A new guard, or the one of its name anew; returns when every gateway looks by it.

        Raises BadInput for what cannot be looked for, NotFound for a deployment or a tenant, and
        Conflict for what factory.toml declares.
        """
        _check_alone(guard)
        with self._changes.change(who) as change:
            there = change.state.guards()
            _refuse_declared(there.get(guard.name))
            _check_names(change.state, guard)
            if guard.name not in there:
                refuse_beyond(self._most, len(there), "guards")
            put_guard(change, guard)
            check(tuple(change.state.guards().values()))
        self._changes.wait_in_force(change.version)
        return guard

    def remove(self, who: str, name: str) -> None:
        """Look no more; returns when no gateway does. Raises NotFound, Conflict as `set`."""
        with self._changes.change(who) as change:
            found = change.state.guards().get(name)
            if found is None:
                raise NotFound(f"guard {name!r}")
            _refuse_declared(found)
            drop_guard(change, name)
        self._changes.wait_in_force(change.version)


def declare_guards(change: Change, declared: tuple[Guard, ...]) -> None:
    """Make true what factory.toml says of guards; one that names what is not there (any more, or
    yet) waits for it. Raises BadInput."""
    there = change.state.guards()
    for guard in declared:
        _check_alone(guard)
        wanted = replace(guard, declared=True)
        if there.pop(guard.name, None) != wanted:
            put_guard(change, wanted)
    for guard in there.values():
        if guard.declared:
            drop_guard(change, guard.name)
    if declared:
        check(tuple(change.state.guards().values()))


def put_guard(change: Change, guard: Guard) -> None:
    """Write a guard and book it."""
    change.state.put_guard(guard)
    change.book("guard.set", guard.name, **_details(guard))


def drop_guard(change: Change, name: str) -> None:
    """Take a guard out and book it."""
    change.state.remove_guard(name)
    change.book("guard.remove", name)


def _details(guard: Guard) -> dict[str, Any]:
    return {
        "act": guard.act.value,
        "finds": list(guard.finds),
        "patterns": list(guard.patterns),
        "on": [side.value for side in guard.on],
        "deployment": guard.deployment,
        "tenant": guard.tenant,
        "declared": guard.declared,
        **({} if guard.asks is None else _asked(guard.asks)),
    }


def _asked(question: Question) -> dict[str, Any]:
    return {
        "classifier": question.deployment,
        "category": question.category,
        "fails_open": question.fails_open,
    }


def _check_alone(guard: Guard) -> None:
    if not is_name(guard.name):
        raise BadInput("name", f"{guard.name!r}: use a-z, 0-9, '.', '_' and '-', at most 63")
    looked_for = len(guard.finds) + len(guard.patterns) + (guard.asks is not None)
    if not 1 <= looked_for <= MOST_LOOKED_FOR:
        raise BadInput(f"guard {guard.name}", f"say what to find, 1 to {MOST_LOOKED_FOR} things")
    if not guard.on:
        raise BadInput(f"guard {guard.name}", "say where to look: input, output")
    if guard.asks is not None:
        _check_question(guard, guard.asks)
    check((guard,))


def _check_question(guard: Guard, asks: Question) -> None:
    spot = f"guard {guard.name}"
    if guard.act is Act.REDACT:
        raise BadInput(spot, "a classifier says whether, not where: let it block or note")
    if guard.deployment == asks.deployment:
        raise BadInput(spot, f"{asks.deployment} would be asked about itself: name another")
    if not 1 <= len(asks.category) <= CATEGORY_CHARACTERS or not asks.category.isprintable():
        why = f"a category is one line of 1 to {CATEGORY_CHARACTERS} characters"
        raise BadInput(spot, why)


def _check_names(state: StateTables, guard: Guard) -> None:
    for missing in _missing(state, guard):
        raise NotFound(missing)


def _missing(state: StateTables, guard: Guard) -> list[str]:
    """What a guard names and is not there."""
    missing = []
    if guard.deployment is not None and guard.deployment not in state.deployments():
        missing.append(f"deployment {guard.deployment!r}")
    if guard.asks is not None and guard.asks.deployment not in state.deployments():
        missing.append(f"deployment {guard.asks.deployment!r}")
    if guard.tenant is not None and state.tenant(guard.tenant) is None:
        missing.append(f"tenant {guard.tenant!r}")
    return missing


def _refuse_declared(found: Guard | None) -> None:
    if found is not None and found.declared:
        why = f"{FACTORY_FILE} declares it: change it there and start the factory again"
        raise Conflict(f"guard {found.name!r}", why)
