"""Whose request goes to control next: bounded in all and for each caller, served in turn.

A caller is a tenant, the operators and auditors together, or everybody without a key. So many slots
as one caller may have are the operators' alone: no tenant keeps them from their own factory.
"""

from collections import Counter, OrderedDict, deque
from typing import Protocol

from inland.domain.limits import Limits

OPERATORS, STRANGERS = "operators", "strangers"


def tenant(name: str) -> str:
    """A tenant as a caller, told apart from the two above whatever its name is."""
    return f"tenant {name}"


class Turn(Protocol):
    """A request as it is seen here. `size`: bytes it holds while it waits."""

    @property
    def caller(self) -> str: ...

    @property
    def size(self) -> int: ...

    def begin(self) -> None:
        """Its turn has come."""
        ...


class Turns:
    """What is with control, and what waits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._running: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[Turn]] = OrderedDict()
        self._count = 0
        self._bytes = 0

    def arrive(self, turn: Turn) -> bool:
        """Begin it, or let it wait; False where there is no room for that."""
        if self._may_begin(turn.caller):
            self._begin(turn)
            return True
        queue = self._waiting.get(turn.caller, ())
        full = (
            self._count >= self._limits.relay_queue
            or len(queue) >= self._limits.relay_queue_per_caller
            or self._bytes + turn.size > self._limits.bodies_bytes
        )
        if not full:
            self._waiting.setdefault(turn.caller, deque()).append(turn)
            self._count += 1
            self._bytes += turn.size
        return not full

    def left(self, turn: Turn) -> None:
        """Its answer is whole, or its caller gone: it need not be asked any more."""
        if turn in self._waiting.get(turn.caller, ()):
            self._waiting[turn.caller].remove(turn)
            self._taken(turn)
            return
        self._running[turn.caller] -= 1
        if not self._running[turn.caller]:
            del self._running[turn.caller]
        self._begin_next()

    def _begin_next(self) -> None:
        for caller, queue in self._waiting.items():
            if self._may_begin(caller):
                turn = queue.popleft()
                self._waiting.move_to_end(caller)
                self._taken(turn)
                self._begin(turn)
                return

    def _taken(self, turn: Turn) -> None:
        if not self._waiting[turn.caller]:
            del self._waiting[turn.caller]
        self._count -= 1
        self._bytes -= turn.size

    def _begin(self, turn: Turn) -> None:
        self._running[turn.caller] += 1
        turn.begin()

    def _may_begin(self, caller: str) -> bool:
        each, total = self._limits.relayed_per_caller, self._limits.relayed
        if self._running[caller] >= min(each, total):
            return False
        others = self._running.total() - self._running[OPERATORS]
        return caller == OPERATORS or others < max(1, total - each)
