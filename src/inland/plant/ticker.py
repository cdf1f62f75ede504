"""The plant's one ticker: every controller's step, at its own pace, none stopping another."""

from collections.abc import Callable
from dataclasses import dataclass, field

from inland.domain.errors import Busy
from inland.ports.clock import Clock

#: Pause between two steps, in seconds.
STEP_S = 0.2


@dataclass(frozen=True, slots=True)
class Controller:
    """Something that is brought along a step at a time."""

    name: str
    step: Callable[[], None]


@dataclass(slots=True)
class Ticker:
    """Steps its controllers in order. `failed` is told of an error that ended one step."""

    controllers: list[Controller]
    failed: Callable[[str, Exception], None]
    wrong: dict[str, str] = field(default_factory=dict)

    def step(self) -> None:
        """One step of each. What goes wrong stands in `wrong` until that controller's next step."""
        for controller in self.controllers:
            try:
                controller.step()
            except Busy as busy:
                self.wrong[controller.name] = str(busy)
            except Exception as error:  # noqa: BLE001 - one controller's fault must not stop the rest
                self.wrong[controller.name] = f"{type(error).__name__}: {error}"
                self.failed(controller.name, error)
            else:
                self.wrong.pop(controller.name, None)

    def run(self, clock: Clock, ended: Callable[[], bool]) -> None:
        """Step until `ended` says so."""
        while not ended():
            self.step()
            clock.sleep(STEP_S)
