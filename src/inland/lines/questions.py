"""A run's questions: asked by the run's key through the gateway, again while there is no room."""

from dataclasses import dataclass

from inland.domain.errors import Busy
from inland.lines.run_keys import RunKeys
from inland.lines.steps.step import Doing
from inland.ports.clock import Clock
from inland.ports.tokens import Answered, Asked, Tokens

#: Questions asked at once, and for how long one is asked again while there is no room, in seconds.
AT_ONCE, PATIENCE_S = 4, 900
_PAUSE_S = 5


@dataclass(frozen=True, slots=True)
class Questions:
    """Asks for the runs of one factory. Threads may share it."""

    tokens: Tokens
    keys: RunKeys
    clock: Clock

    def answered(self, doing: Doing, asked: Asked) -> Answered:
        """Raises what `Tokens.ask` does, Busy once patience is at its end, and Ended."""
        run, until_s = doing.run, self.clock.monotonic() + PATIENCE_S
        while True:
            try:
                return self.tokens.ask(self.keys.text(run.id, run.tenant, run.line), asked)
            except Busy as busy:
                if self.clock.monotonic() >= until_s:
                    raise
                self.clock.sleep(min(max(busy.retry_after_s, 1), _PAUSE_S))
                doing.go_on()
