"""Which slot of an engine a request gets, and whether what an earlier one left there is reused.

An engine's slot keeps the last prompt it read. It is reused by the owner it came from, never by
another: only where everything that may lie in the slot is known to be that owner's. An owner is a
tenant, or a tenant under one adapter: what an adapter read in means something else to another one.
"""

# What is known of a slot comes from requests that ended as they should. A request may also be lost
# sight of: its caller hung up, or its gateway died, before the engine had read it. Nobody can say
# when the engine will read it after all. So a slot counts as unknown until `SETTLE_S` after the
# engine next showed that it works; only what was sent from then on tells what lies in it.

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

import msgspec

from inland.domain.plant import Residue

#: How long a request nobody waits for may take until the engine has read or dropped it. Reading
#: the largest body takes llama.cpp 2 s; it looks once a second whether its caller is still there.
SETTLE_S = 10.0

#: Chained hashes of a prompt's blocks, first block first; equal ones mean equal text up to there.
Prefix = Sequence[int]


@dataclass(frozen=True, slots=True)
class Share:
    """One of how many `gateways` a process is. The only one has every slot, one of several those
    that control deals to it (`decide/shares.py`).

    `first`: no gateway was in its place before, so nothing of one can be under way in an engine.
    """

    gateways: int = 1
    first: bool = False


class Grant(msgspec.Struct, frozen=True, gc=False):
    """A slot, and whether the prompt left in it may be reused; if not, it is cleared first."""

    slot: int
    reuse: bool


class _Slot(msgspec.Struct, gc=False):
    id: int
    quiet_from: float
    owner: str | None = None  # all that may lie in it is this owner's
    prefix: Prefix = ()  # of the prompt in it
    used: int = 0  # rises with each use
    request: int | None = None
    asker: str = ""
    asked: Prefix = ()
    since: float = 0.0
    extra: bool = False  # held for another choice of a request that is read in elsewhere


@dataclass(slots=True)
class Slots:
    """One engine's slots: those that are this gateway's, and any it lost that are still in use."""

    ids: frozenset[int] = frozenset()
    slots: dict[int, _Slot] = field(default_factory=dict)
    uses: int = 0


def slots_of(ids: Iterable[int], *, quiet: bool = False) -> Slots:
    """Slots nothing is known of. `quiet`: nothing that we do not know of can come to them."""
    state = Slots()
    resize(state, ids, quiet=quiet)
    return state


def resize(state: Slots, ids: Iterable[int], *, quiet: bool = False) -> None:
    """From now on `ids` are ours. Of new ones nothing is known; lost ones are given out no more."""
    state.ids = frozenset(ids)
    _drop_lost(state)
    for new in sorted(state.ids - state.slots.keys()):
        state.slots[new] = _Slot(new, -inf if quiet else inf)


def _drop_lost(state: Slots) -> None:
    for lost in [one for one in state.slots.values() if one.id not in state.ids]:
        if lost.request is None:
            del state.slots[lost.id]


def take(
    state: Slots, request: int, owner: str, seats: int, prefix: Prefix, now: float
) -> Grant | None:
    """A slot for `request`, and `seats - 1` more for its other choices; None where there is none.

    The engine chooses the slots of other choices itself, the lowest that are free, and clears them
    before and after. Where it chooses another than we held, a request waits there, bounded; nothing
    is seen that should not be.
    """
    free = [one for one in state.slots.values() if one.request is None]
    if len(free) < seats:
        return None
    busy = {one.id for one in state.slots.values() if one.request is not None}
    chosen = _choice(free, busy, owner, prefix)
    reuse = chosen.owner == owner
    state.uses += 1
    _hold(chosen, state.uses, request, owner, prefix, now)
    others = sorted((one for one in free if one is not chosen), key=lambda one: one.id)
    for other in others[: seats - 1]:
        other.owner, other.prefix, other.extra = None, (), True
        _hold(other, state.uses, request, owner, (), now)
    return Grant(chosen.id, reuse)


def let_go(state: Slots, request: int, residue: Residue, now: float) -> None:
    """`request` left its slots, and what it left in the one it was read in is `residue`.

    One that had no slot says nothing of what is under way to any of them.
    """
    held = [slot for slot in state.slots.values() if slot.request == request]
    for slot in held:
        if not slot.extra:
            known = residue is Residue.PROMPT and slot.since >= slot.quiet_from
            slot.owner, slot.prefix = (slot.asker, slot.asked) if known else (None, ())
            if residue is Residue.PENDING:
                slot.quiet_from = inf
        slot.request, slot.asked, slot.extra = None, (), False
    if state.slots.keys() != state.ids:
        _drop_lost(state)
    if held and residue is Residue.PROMPT:
        for slot in state.slots.values():
            if slot.quiet_from == inf:
                slot.quiet_from = now + SETTLE_S


def _hold(slot: _Slot, use: int, request: int, owner: str, asked: Prefix, now: float) -> None:
    slot.used, slot.request, slot.asker = use, request, owner
    slot.asked, slot.since = asked, now


def _choice(free: list[_Slot], busy: set[int], owner: str, prefix: Prefix) -> _Slot:
    """The slot that holds most of the prompt, unless more would be lost there than kept; else one
    beside those at work, that holds nothing, before anybody else's the owner's own, the oldest.

    llama.cpp steps at once only through slots whose numbers follow one another: seven in a row make
    a fourth more tokens in a second than seven with gaps between.
    """
    own = [(common(one.prefix, prefix), -one.used, one) for one in free if one.owner == owner]
    length, _, best = max(own, key=lambda one: one[:2], default=(0, 0, None))
    if best is not None and length and 2 * length >= len(best.prefix):
        return best

    def beside(slot: _Slot) -> int:
        return (slot.id - 1 in busy) + (slot.id + 1 in busy)

    oldest = min(free, key=lambda one: (-beside(one), one.owner is not None, one.used))
    if best is None or not length or oldest.owner is None or beside(oldest) > beside(best):
        return oldest
    return best


def common(one: Prefix, other: Prefix) -> int:
    """How many blocks two prompts share from the start. Hashes are chained: halving finds it."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[middle - 1] == other[middle - 1]:
            low = middle
        else:
            high = middle - 1
    return low
