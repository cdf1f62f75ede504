"""A run's questions: asked by the run's key through the gateway, again while there is no room."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from inland.domain.errors import Busy, Conflict
from inland.lines.run_keys import RunKeys
from inland.lines.steps.step import Doing
from inland.ports.clock import Clock
from inland.ports.tokens import Answered, Asked, Tokens

#: Questions asked at once, and for how long one is asked again while there is no room, in seconds.
AT_ONCE, PATIENCE_S = 8, 900
_PAUSE_S = 5


@dataclass(frozen=True, slots=True)
class Questions:
    """Asks for the runs of one factory. Threads may share it."""

    tokens: Tokens
    keys: RunKeys
    clock: Clock

    def answered(self, doing: Doing, asked: Asked) -> Answered:
        """Raises what `Tokens.ask` does, Conflict for Busy once patience is at its end, and
        Ended."""
        run, until_s = doing.run, self.clock.monotonic() + PATIENCE_S
        while True:
            doing.go_on()
            try:
                return self.tokens.ask(self.keys.text(run.id, run.tenant, run.line), asked)
            except Busy as busy:
                if self.clock.monotonic() >= until_s:
                    raise Conflict(f"asking {asked.model}", busy.why) from None
                self.clock.sleep(min(max(busy.retry_after_s, 1), _PAUSE_S))


def asked_together(
    doing: Doing, what: str, calls: Sequence[Callable[[], Answered]]
) -> list[Answered]:
    """What each call comes to, in order, `AT_ONCE` of them at any time: one that takes long keeps
    none waiting behind it. Raises what the first does that fails, and Ended; the rest are not
    made then."""
    pool = ThreadPoolExecutor(AT_ONCE, what)
    answers: list[Answered] = []
    try:
        for one in [pool.submit(call) for call in calls]:
            doing.go_on()
            doing.progress(len(answers), len(calls), what)
            answers.append(one.result())
    finally:
        pool.shutdown(cancel_futures=True)
    doing.progress(len(answers), len(calls), what)
    return answers
