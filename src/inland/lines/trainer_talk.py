"""What a trainer says, line by line as it comes: told to whoever waits, its checkpoints kept.

Of lines that are no events only the kind of the error is taken: there may be data in them.
"""

import re
from collections.abc import Callable

from inland.domain.errors import Denied, InlandError
from inland.domain.lines import Method
from inland.lines.steps.step import Doing
from inland.ports.clock import Clock
from inland.ports.trainer import Checkpoint, Progress, Refused, Trained, TrainEvent

#: Keeping checkpoints takes no more than one part in so many of the time.
SHARE = 10
_ERROR = re.compile(r"(?:[A-Za-z_]\w*\.)*([A-Za-z_]\w*(?:Error|Exception|Interrupt))\b")


class Talk:
    """Of one trainer. `kept`: checkpoints of it that are assets; `fault`: the last error it printed
    a word of."""

    def __init__(
        self,
        doing: Doing,
        method: Method,
        event: Callable[[str], TrainEvent],
        keep: Callable[[Checkpoint], None],
        clock: Clock,
    ) -> None:
        self._doing = doing
        self._method = method
        self._event = event
        self._keep = keep
        self._clock = clock
        self._not_before_s = clock.monotonic()
        self.trained: Trained | None = None
        self.refused = ""
        self.kept = 0
        self.fault = ""

    def hear(self, line: bytes) -> None:
        """One more line. Raises Ended where the run is to stop, and Denied."""
        self._doing.go_on()
        text = line.decode("utf-8", "replace")
        try:
            event = self._event(text)
        except ValueError:
            found = _ERROR.match(text)
            self.fault = self.fault if found is None else found[1]
            return
        match event:
            case Progress():
                self._progressed(event)
            case Checkpoint():
                self._checkpoint(event)
            case Trained():
                self.trained = event
            case Refused():
                self.refused = event.why

    def _progressed(self, now: Progress) -> None:
        an_epoch = max(1, now.steps // self._method.epochs)
        epoch = f"epoch {max(0, now.step - 1) // an_epoch + 1} of {self._method.epochs}"
        loss, left = f"loss {now.loss:.2f}", _left(now.seconds_left)
        told = f"{epoch}, {loss}, {now.tokens_per_s:.0f} tok/s, {left} left"
        self._doing.progress(now.step, now.steps, told)
        if now.step % an_epoch == 0:
            held = "" if now.holdout_loss is None else f", holdout loss {now.holdout_loss:.3f}"
            self._doing.say(f"{epoch}: {loss}{held}, {now.tokens_per_s:.0f} tok/s")

    def _checkpoint(self, made: Checkpoint) -> None:
        began_s = self._clock.monotonic()
        if began_s < self._not_before_s:
            return
        try:
            self._keep(made)
        except Denied:
            raise  # nor would what comes of it be kept
        except (InlandError, OSError) as error:
            self._doing.say(f"the checkpoint of step {made.step} is not kept: {error}")
        else:
            self.kept += 1
            self._doing.say(f"the checkpoint of step {made.step} is kept")
        ended_s = self._clock.monotonic()
        self._not_before_s = ended_s + (SHARE - 1) * (ended_s - began_s)


def _left(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
