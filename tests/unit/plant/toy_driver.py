"""An engine made up of a step-time model, driven in no time at all."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from inland.decide.capacity import step_s
from inland.domain.capacity import StepModel, Stream
from inland.domain.plant import EngineKind
from inland.ports.engine import Completion, Target, Work
from tests.unit.plant.parts import HandClock

#: As SmolLM2 on one core, about.
TOY_MODEL = StepModel(0.004, 0.006, 0.002, 0.001, 0.000001)


@dataclass
class ToyDriver:
    """`plant.driving.Driver`: reads all prompts in one step, then makes a token of each a step.

    `slots`: of more requests than these none is answered. `others`: tokens it makes for somebody
    else meanwhile.
    """

    clock: HandClock
    model: StepModel = TOY_MODEL
    slots: int = 64
    others: int = 0
    total: int = 0
    prompts: list[str] = field(default_factory=list)

    def drives(self, kind: EngineKind) -> bool:
        return kind is EngineKind.LLAMA_CPP

    def drive(
        self, kind: EngineKind, target: Target, works: Sequence[Work], limit_s: float
    ) -> tuple[Stream, ...]:
        if len(works) > self.slots:
            self.clock.sleep(limit_s)
            return tuple(Stream((), 0, 0) for _ in works)
        lengths = []
        for work in works:
            assert isinstance(work.task, Completion)
            self.prompts += work.task.prompts
            lengths.append(len(work.task.prompts[0].split()))
        batch, tokens = len(works), works[0].max_tokens or 0
        at = [step_s(self.model, batch, 0, sum(lengths))]
        for made in range(1, tokens):
            at.append(at[-1] + step_s(self.model, batch, sum(lengths) + batch * made))
        self.clock.sleep(at[-1])
        self.total += batch * tokens + self.others
        times = tuple((seconds, made + 1) for made, seconds in enumerate(at))
        return tuple(Stream(times, length, tokens) for length in lengths)

    def made(self, kind: EngineKind, address: str) -> int | None:
        return self.total
