"""How a hard budget is shared among gateways so that it is never passed. Pure.

Control keeps an account of each budget's period, a gateway a purse of it. At any moment what is
booked, and what gateways hold beyond that, is together at most the limit; a request is let in only
when the most it may come to fits into what its gateway holds.
"""

from dataclasses import dataclass, field

from inland.domain.allowances import Allowance, Claim


@dataclass(slots=True)
class Account:
    """Control's side of one budget's period, in its amounts.

    `booked`: by writer (one life of a gateway). `held`: what writers that may still spend hold.
    """

    limit: int
    booked: dict[str, int] = field(default_factory=dict)
    held: dict[str, int] = field(default_factory=dict)

    @property
    def used(self) -> int:
        return sum(self.booked.values())

    @property
    def left(self) -> int:
        """What nobody has used or holds; below 0 where a limit was lowered."""
        unbooked = (held - self.booked.get(writer, 0) for writer, held in self.held.items())
        return self.limit - self.used - sum(amount for amount in unbooked if amount > 0)

    def answer(self, writer: str, claim: Claim, gateways: int, *, sure: bool) -> Allowance:
        """Take a claim of `writer`, one of so many gateways, and give it what there is.

        Unless `sure` nothing new is given. What waits goes before what is only spare, of which a
        gateway gets so little that the others find some too.
        """
        if claim.fresh and not sure:
            return self._told(claim, 0, 0, sure=False)
        base = self.booked.get(writer, 0) if claim.fresh else 0
        held = self.held[writer] = base + claim.held
        left = max(0, self.left) if sure else 0
        given = min(claim.waiting, left) if claim.least <= left else 0
        given += max(0, min(claim.spare, (left - given) // (2 * max(1, gateways))))
        self.held[writer] = held + given
        return self._told(claim, held + given, base, sure=sure)

    def _told(self, claim: Claim, held: int, base: int, *, sure: bool) -> Allowance:
        return Allowance(claim.budget, claim.period_unix_s, held, base, self.used, sure)


@dataclass(slots=True)
class Purse:
    """A gateway's side of one budget's period.

    `committed`: what its requests came to, and what those under way may come to. `held` is what
    this may be at most; only what an engine counts beyond the most it was asked for passes it.
    """

    held: int = 0
    committed: int = 0
    fresh: bool = True
    _lately: int = 0
    _before: int = 0

    def reserve(self, most: int) -> bool:
        """Commit the most that a request may come to, if it fits."""
        if self.fresh or self.committed + most > self.held:
            return False
        self.committed += most
        self._lately += most
        return True

    def settle(self, most: int, came_to: int) -> None:
        """A request for which `most` was committed has ended."""
        self.committed += came_to - most

    def beat(self) -> None:
        """A second has passed: what was taken in it says what the next may take."""
        self._before, self._lately = self._lately, 0

    def claim(self, budget: str, period_unix_s: int, waiting: list[int]) -> Claim:
        """Say what is held and wanted; what is not wanted is let go of here and now."""
        if self.fresh:
            return Claim(
                *(budget, period_unix_s, 0, min(waiting, default=0), sum(waiting)), fresh=True
            )
        wanted = max(self._lately, self._before)
        self.held = max(self.committed, min(self.held, self.committed + wanted + sum(waiting)))
        room = self.held - self.committed
        return Claim(
            budget,
            period_unix_s,
            self.held,
            max(0, min(waiting, default=0) - room),
            max(0, sum(waiting) - room),
            max(0, wanted - max(0, room - sum(waiting))),
        )

    def take(self, allowance: Allowance) -> None:
        """Control's answer to the newest claim; older ones are not to be taken."""
        if self.fresh:
            if not allowance.sure:
                return
            self.fresh, self.committed = False, allowance.base
        self.held = max(allowance.held, self.committed)
