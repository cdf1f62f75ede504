"""The plant's one ticker: every controller's step, at its own pace, none stopping another.

A controller whose work is done rests: it is not stepped again before what all of them look at has
changed. Each says when it rests; whoever waits for a time, or for what only it can see, does not.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from inland.domain.errors import Busy
from inland.ports.clock import Clock

#: Pause between two steps, in seconds.
STEP_S = 0.2
#: Steps that nobody rests for longer, though nothing seems to change: five seconds of them.
REST_STEPS = 25


def never() -> bool:
    """Of a controller that goes by more than the signs: it is stepped each time."""
    return False


def always() -> bool:
    """Of a controller that goes by the signs alone."""
    return True


def unknown() -> None:
    """No signs: nobody rests."""


@dataclass(frozen=True, slots=True)
class Controller:
    """Something that is brought along a step at a time. `rests`: whether, as it is now, another
    step would find nothing to do while the signs are as they were before the last."""

    name: str
    step: Callable[[], None]
    rests: Callable[[], bool] = never


@dataclass(slots=True)
class Ticker:
    """Steps its controllers in order. `failed` is told of an error that ended one step. `signs`:
    what they all look at, so that it is another where that may have changed; None: not known."""

    controllers: list[Controller]
    failed: Callable[[str, Exception], None]
    wrong: dict[str, str] = field(default_factory=dict)
    signs: Callable[[], Hashable | None] = unknown
    _steps: int = 0
    _seen: dict[str, tuple[Hashable, int]] = field(default_factory=dict)

    def step(self) -> None:
        """One step of each that does not rest. What goes wrong stands in `wrong` until that
        controller's next step."""
        self._steps += 1
        signs = self.signs()  # before anybody looks: what changes meanwhile is seen again
        for controller in self.controllers:
            if not self._rests(controller, signs):
                self._step(controller, signs)

    def run(self, clock: Clock, ended: Callable[[], bool]) -> None:
        """Step until `ended` says so."""
        while not ended():
            self.step()
            clock.sleep(STEP_S)

    def _rests(self, controller: Controller, signs: Hashable | None) -> bool:
        seen, since = self._seen.get(controller.name, (None, 0))
        if signs is None or seen != signs or self._steps - since > REST_STEPS:
            return False
        return controller.rests()

    def _step(self, controller: Controller, signs: Hashable | None) -> None:
        """One that failed does not rest."""
        self._seen.pop(controller.name, None)
        try:
            controller.step()
        except Busy as busy:
            self.wrong[controller.name] = str(busy)
        except Exception as error:  # noqa: BLE001 - one controller's fault must not stop the rest
            self.wrong[controller.name] = f"{type(error).__name__}: {error}"
            self.failed(controller.name, error)
        else:
            self.wrong.pop(controller.name, None)
            self._seen[controller.name] = (signs, self._steps)
